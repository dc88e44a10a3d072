import { describe, expect, test } from "vitest";
import { type Answer, describeView, viewOf } from "../../../server/lab/client-view.ts";

const MS = 1_000;
const good = (sentMs: number, node = "lb1", backend?: string, page = "a"): Answer => ({
  sentTs: sentMs * MS,
  endedTs: (sentMs + 2) * MS,
  status: 200,
  node,
  page,
  ...(backend === undefined ? {} : { backend }),
});
const bad = (sentMs: number, error = "ECONNREFUSED"): Answer => ({
  sentTs: sentMs * MS,
  endedTs: (sentMs + 1) * MS,
  status: null,
  error,
});

describe("what the client saw", () => {
  test("an outage lasts from the first request that fails to the next that does not; the longest counts", () => {
    const answers = [good(0), bad(50), good(100), bad(150), bad(200), bad(250), good(300), good(350)];
    const view = viewOf(answers, 0, 400 * MS);
    expect(view).toMatchObject({ requests: 8, failed: 4, longestOutageUs: 150 * MS });
  });

  test("an outage that is not over lasts to the end", () => {
    expect(viewOf([good(0), bad(50)], 0, 400 * MS).longestOutageUs).toBe(350 * MS);
  });

  test("answers may come in any order: when they were asked counts", () => {
    const answers = [good(300), bad(150), good(0), bad(200), good(100)];
    expect(viewOf(answers, 0, 400 * MS)).toEqual(viewOf([...answers].reverse(), 0, 400 * MS));
    expect(viewOf(answers, 0, 400 * MS).longestOutageUs).toBe(150 * MS);
  });

  test("a server's error is a failure, and is named by its status", () => {
    const view = viewOf([{ ...good(0), status: 502 }, bad(10), bad(20)], 0, 100 * MS);
    expect(view.errors).toEqual([
      ["ECONNREFUSED", 2],
      ["status 502", 1],
    ]);
  });

  test("who answered is told of the second before, and of the last second", () => {
    const answers = [good(-3_000, "lb3"), good(-20, "lb1", "web1"), bad(10), good(2_000, "lb2"), good(5_000, "lb1")];
    const view = viewOf(answers, 0, 5_500 * MS);
    expect(view).toMatchObject({ before: ["lb1/web1"], after: ["lb1/itself"] });
  });

  test("is said in one line", () => {
    const answers = [good(-20, "lb1", "web1"), bad(10), good(60, "lb2", "web1", "a"), good(90, "lb2", "web2", "b")];
    expect(describeView(viewOf(answers, 0, 100 * MS))).toBe(
      "1 of 3 requests failed, longest outage 50 ms (1 × ECONNREFUSED); answered before by lb1/web1, after by lb2/web1, lb2/web2; 2 different pages",
    );
    expect(describeView(viewOf([], 0, MS))).toBe("0 of 0 requests failed; answered before by nobody, after by nobody");
  });
});
