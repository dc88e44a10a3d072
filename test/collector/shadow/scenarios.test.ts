import { expect, test } from "vitest";
import { runScenario } from "./scenario.ts";

test("smoke", () => {
  const { told, expected } = runScenario(`
    at 0 start
    expect at 0 VI_1 backup start
    expect at 3.609375 VI_1 master master-down
    at 5 advert prio 150
    expect at 5 VI_1 backup outranked
    at 6 advert prio 0
    expect at 6.609375 VI_1 master priority-zero
    at 8 link eth0 down
    expect at 8 VI_1 fault fault
    at 9 link eth0 up
    expect at 9 VI_1 backup fault-over
    expect at 12.609375 VI_1 master master-down
    expect until 20s nothing
  `);
  expect(told).toEqual(expected);
});
