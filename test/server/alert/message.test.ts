import fc from "fast-check";
import { expect, test } from "vitest";
import {
  describe as tell,
  EVIDENCE_LINES_MAX,
  LINE_MAX_CHARS,
  oneLine,
  TITLE_MAX_CHARS,
} from "../../../server/alert/message.ts";
import { PUBLIC_URL, resolved, splitBrain, T0 } from "./support.ts";

const title = (incident = splitBrain, event: "opened" | "certainty-raised" | "resolved" = "opened") =>
  tell(incident, event, T0, PUBLIC_URL).title;

test("a title says how bad, what, where and who", () => {
  expect(title()).toBe(
    "CRITICAL split-brain default/ipv4/51: lb1 and lb2 have both acted as master of VRID 51 since 10:00:10.",
  );
});

test.each([
  ["a suspicion", title({ ...splitBrain, certainty: "suspected" }), /^CRITICAL suspected split-brain /],
  ["a certainty that is raised", title(splitBrain, "certainty-raised"), /^CRITICAL now confirmed: split-brain /],
  ["an end", title(resolved(splitBrain), "resolved"), /^RESOLVED split-brain /],
  ["a withdrawal", title({ ...splitBrain, status: "withdrawn" }, "resolved"), /^WITHDRAWN split-brain /],
])("%s is told by the title", (_, text, pattern) => expect(text).toMatch(pattern));

test("an open incident has a beginning and no end, a resolved one has both and a length", () => {
  expect(tell(splitBrain, "opened", T0, PUBLIC_URL)).toMatchObject({
    end: null,
    when: "since 2026-03-05T10:00:10.000000Z",
  });
  expect(tell(resolved(splitBrain), "resolved", T0, PUBLIC_URL).when).toBe(
    "2026-03-05T10:00:10.000000Z to 2026-03-05T10:00:28.500000Z (18.500 s)",
  );
});

test("the opening of an incident that is over by now is still told as an opening", () => {
  expect(tell(resolved(splitBrain), "opened", T0, PUBLIC_URL)).toMatchObject({ event: "opened", end: null });
});

test("a withdrawn incident without an end ended when it was told", () => {
  const message = tell({ ...splitBrain, status: "withdrawn" }, "resolved", T0, PUBLIC_URL);
  expect(message).toMatchObject({ withdrawn: true, end: T0 });
  expect(message.summary).toMatch(/^Withdrawn: /);
});

test("an incident without a router is named by cluster and instance", () => {
  const { router: _, ...subject } = splitBrain.subject;
  const message = tell({ ...splitBrain, subject }, "opened", T0, `${PUBLIC_URL}/`);
  expect(message.title).toContain(" default/VI_1: ");
  expect(message.link).toBe(`${PUBLIC_URL}/?incident=${splitBrain.id}`);
});

test("the link leads to the incident on its router's timeline", () => {
  expect(tell(splitBrain, "opened", T0, PUBLIC_URL).link).toBe(
    `${PUBLIC_URL}/?router=default%2Fipv4%2F51&incident=${splitBrain.id}`,
  );
});

test("of much evidence, the beginning and the end are shown and the rest is counted", () => {
  const evidence = Array.from({ length: 25 }, (_, index) => ({
    eventId: `e${index}`,
    node: "lb1",
    source: "log" as const,
    ts: T0 + index,
    text: `line ${index}`,
  }));
  const message = tell({ ...splitBrain, evidence }, "opened", T0, PUBLIC_URL);
  expect(message.evidence).toHaveLength(EVIDENCE_LINES_MAX);
  expect(message.evidence[0]).toBe("2026-03-05T10:00:30.000000Z lb1 log: line 0");
  expect(message.evidence.at(-1)).toContain("line 24");
  expect(message.evidenceLeftOut).toBe(15);
});

test("a cause that is not known is said to be unknown", () => {
  expect(tell({ ...splitBrain, cause: null }, "opened", T0, PUBLIC_URL).why).toMatch(/not known/);
});

test.each([
  ["line breaks", "a\r\nBcc: eve@example.org", "a Bcc: eve@example.org"],
  ["terminal escapes", "a\u001b[2Jb", "a [2Jb"],
  ["bidirectional overrides", "a\u202Eb\u2066c", "a b c"],
  ["Unicode line separators", "a\u2028b\u0085c", "a b c"],
  ["lone surrogates", "a\ud800b", "a b"],
])("%s in a log line become blanks", (_, hostile, clean) => expect(oneLine(hostile)).toBe(clean));

test("whatever a log line holds, a message's texts are single clean lines of bounded length", () => {
  const hostile = fc.string({ unit: "binary", maxLength: 3000 });
  fc.assert(
    fc.property(hostile, hostile, fc.array(hostile, { maxLength: 12 }), (summary, name, texts) => {
      const evidence = texts.map((text) => ({
        eventId: "e",
        node: name,
        source: "log" as const,
        ts: T0,
        text,
        line: text,
      }));
      const subject = { router: name, instance: name, nodes: [name, name] };
      const message = tell(
        { ...splitBrain, summary, subject, evidence, cause: { code: name, text: summary } },
        "opened",
        T0,
        PUBLIC_URL,
      );
      expect(message.title.length).toBeLessThanOrEqual(TITLE_MAX_CHARS);
      const lines = [
        message.title,
        message.summary,
        message.when,
        message.who,
        message.why,
        ...message.evidence,
        ...message.nodes,
      ];
      for (const line of lines) {
        expect(line).not.toMatch(/[\p{Cc}\p{Cs}\u2028\u2029\u202e]/u);
        expect(line.length).toBeLessThanOrEqual(LINE_MAX_CHARS + 200);
      }
    }),
    { numRuns: 200 },
  );
});
