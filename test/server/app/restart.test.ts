import { afterEach, describe, expect, test } from "vitest";
import { DETECTION_KINDS } from "../../../server/detect/evidence.ts";
import { scenario } from "../detect/scenario.ts";
import { batchesOf, endStray, postAll, SPLIT_BRAIN, type TestServer, testServer } from "./support.ts";

/** What a start begins with: what was known when the last one ended, and what has come since. */

afterEach(endStray);

const HEALED = "at 40.3 lb2 log BACKUP\nat 40.3 lb2 kernel -10.99.0.100\nwatch lb1 lb2 to 60";
const BEATS = Array.from({ length: 60 }, (_, i) => `at ${30.5 + i / 4} lb${(i % 2) + 1} heartbeat`).join("\n");

const NEEDED = scenario(SPLIT_BRAIN).filter(({ kind }) => DETECTION_KINDS.has(kind)).length;

const known = async (server: TestServer): Promise<unknown> => ({
  incidents: await server.json("/api/v1/incidents"),
  routers: await server.json("/api/v1/routers"),
  nodes: await server.json("/api/v1/nodes"),
});
const taken = ({ logged }: TestServer): unknown =>
  logged.find(({ message }) => message === "what was known is taken up again")?.fields;
/** Ends like one that was killed: what it knows is not kept. */
async function killed(server: TestServer): Promise<void> {
  server.engine.checkpoints = () => [];
  await server.close();
}

describe("a start", () => {
  test("reads no heartbeat again that was counted, and knows the same", async () => {
    const first = await testServer();
    await postAll(first, `${SPLIT_BRAIN}\n${BEATS}`);
    const before = await known(first);
    await first.close();
    const second = await testServer({ dir: first.dir });
    expect(taken(second)).toEqual({ recalled: NEEDED, since: 0 });
    expect(await known(second)).toEqual(before);
    await postAll(second, HEALED);
    expect(await second.json("/api/v1/incidents")).toMatchObject([{ kind: "split-brain", status: "resolved" }]);
    await second.end();
  });

  test("concludes what came after that and was stored before a crash, also when it was not concluded from", async () => {
    const first = await testServer();
    await postAll(first);
    await first.close();
    const second = await testServer({ dir: first.dir });
    const [one, ...others] = batchesOf(scenario(HEALED));
    expect((await second.post(one)).ok).toBe(true);
    for (const batch of others) await second.store.insertBatch(batch);
    await killed(second);
    const third = await testServer({ dir: first.dir });
    expect(taken(third)).toMatchObject({ recalled: NEEDED });
    const incidents = await third.json("/api/v1/incidents");
    expect(incidents).toMatchObject([{ kind: "split-brain", status: "resolved", revision: 2 }]);
    await third.end();
  });

  test.each([true, false])(
    "knows the same when a crash let only one cluster be kept anew (the other before: %s)",
    async (before) => {
      const first = await testServer();
      for (const cluster of ["a", "b"])
        for (const batch of batchesOf(scenario(SPLIT_BRAIN, cluster))) await first.post(batch);
      await (before ? first.close() : killed(first));
      const second = await testServer({ dir: first.dir });
      for (const cluster of ["a", "b"])
        for (const batch of batchesOf(scenario(HEALED, cluster))) await second.post(batch);
      const then = await known(second);
      const save = second.store.saveCheckpoints.bind(second.store);
      second.store.saveCheckpoints = (all) => save(all.filter(({ cluster }) => cluster === "b"));
      await second.close();
      const third = await testServer({ dir: first.dir });
      const marks = new Map((await third.store.checkpoints()).map(({ cluster, arrived }) => [cluster, arrived]));
      expect(marks.get("a") ?? -1).toBeLessThan(marks.get("b") ?? -1);
      expect(marks.has("a")).toBe(before);
      expect(taken(third)).toBeDefined();
      expect(then).toMatchObject({ incidents: [{ status: "resolved" }, { status: "resolved" }] });
      expect(await known(third)).toEqual(then);
      await third.end();
    },
  );

  test.each([
    ["that cannot be read", "what was known cannot be taken up again: all stored events are read", "{", "same"],
    ["of other detectors", "the detectors are others than before: all stored events are read", undefined, "other"],
  ])("reads everything where what was kept is one %s", async (_, message, state, sign) => {
    const first = await testServer();
    await postAll(first);
    const before = await known(first);
    await first.close();
    const second = await testServer({ dir: first.dir });
    const [kept, ...rest] = await second.store.checkpoints();
    if (!kept || rest.length > 0) throw new Error("one cluster has one checkpoint");
    await killed(second);
    const spoiler = await testServer({ dir: first.dir });
    await spoiler.store.saveCheckpoints([
      { ...kept, ...(state === undefined ? {} : { state }), sign: sign === "same" ? kept.sign : sign },
    ]);
    await killed(spoiler);
    const third = await testServer({ dir: first.dir });
    expect(third.logged.map((line) => line.message)).toContain(message);
    expect(await known(third)).toEqual(before);
    await third.end();
  });
});
