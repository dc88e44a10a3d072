import { expect, test } from "vitest";
import type { Observation } from "../../../collector/events/observation.ts";
import { Handover, overheard } from "../../../collector/sources/handover.ts";
import type { Source, SourceContext } from "../../../collector/sources/source.ts";

test("who comes late hears the newest value, and who has left hears nothing", () => {
  const numbers = new Handover<number>();
  numbers.publish(1);
  numbers.publish(2);
  const heard: number[] = [];
  const leave = numbers.subscribe((value) => heard.push(value));
  numbers.publish(3);
  leave();
  numbers.publish(4);
  expect(heard).toEqual([2, 3]);
  expect(numbers.current()).toBe(4);
});

test("a listener that throws is told of, and keeps nobody from hearing", () => {
  const failures: string[] = [];
  const numbers = new Handover<number>((why) => failures.push(why));
  const heard: number[] = [];
  numbers.subscribe(() => {
    throw new Error("not today");
  });
  numbers.subscribe((value) => heard.push(value));
  numbers.publish(1);
  expect(heard).toEqual([1]);
  expect(failures).toEqual(["not today"]);
});

test("what a source hands over is heard before it is durable, and goes on as it was", async () => {
  const seen: Observation = {
    source: "log",
    ts: 1,
    tsUncertaintyUs: 0,
    idParts: ["a"],
    body: { kind: "daemon.stopping" },
  };
  const order: string[] = [];
  const source: Source = {
    name: "log",
    start: (context) => context.emit([seen], { key: "k", value: context.position("k") ?? "" }),
    stop: async () => undefined,
    status: () => ({ name: "log", detail: "", state: "running", read: 0, unrecognised: 0 }),
  };
  const heard = new Handover<readonly Observation[]>();
  heard.subscribe((observations) => order.push(`heard ${observations.length}`));
  const context: SourceContext = {
    emit: async (observations, position) => void order.push(`kept ${observations.length} ${position?.value}`),
    position: () => "7",
    log: () => undefined,
  };
  await overheard(source, heard).start(context);
  expect(order).toEqual(["heard 1", "kept 1 7"]);
});
