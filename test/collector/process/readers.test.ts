import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parseDump } from "../../../collector/process/dump.ts";
import { parseUnit } from "../../../collector/process/unit.ts";

describe("what systemctl show prints", () => {
  test("is read whatever its order", () => {
    expect(
      parseUnit(
        "keepalived.service",
        "MainPID=812\nResult=success\nNRestarts=3\nLoadState=loaded\nActiveState=active\nSubState=running\n",
      ),
    ).toEqual({
      kind: "process.unit",
      unit: "keepalived.service",
      activeState: "active",
      subState: "running",
      result: "success",
      mainPid: 812,
      restarts: 3,
    });
  });

  test("of a dead unit has no main process", () => {
    const unit = parseUnit(
      "k.service",
      "LoadState=loaded\nActiveState=failed\nSubState=failed\nResult=exit-code\nMainPID=0\n",
    );
    expect(unit).toEqual({
      kind: "process.unit",
      unit: "k.service",
      activeState: "failed",
      subState: "failed",
      result: "exit-code",
    });
  });

  test.each(["", "LoadState=not-found\nActiveState=inactive\n", "ActiveState=\n", "garbage"])("is none: %j", (text) => {
    expect(parseUnit("k.service", text)).toBeUndefined();
  });
});

describe("keepalived's JSON dump", () => {
  const data = {
    iname: "VI_1",
    ifp_ifname: "eth0",
    vrid: 51,
    base_priority: 100,
    effective_priority: 80,
    master_priority: 150,
    state: 1,
    wantstate: 2,
    vipset: false,
    last_transition: 1795877057.74136,
    auth_data: "k33pw4tc",
  };
  const instance = {
    kind: "dump.instance",
    instance: "VI_1",
    state: "BACKUP",
    wantedState: "MASTER",
    vrid: 51,
    interface: "eth0",
    priority: 80,
    basePriority: 100,
    masterPriority: 150,
    vipsSet: false,
    lastTransitionTs: 1795877057741360,
  };

  test.each([
    ["an array, as up to 2.2.7", [{ data, stats: {} }]],
    ["an object, as version 2", { json_version: 2, vrrp: [{ data }] }],
  ])("%s", (_, dump) => {
    expect(parseDump(JSON.stringify(dump))).toEqual([instance]);
  });

  test("what has no state is passed over, and what is out of range is not told", () => {
    const odd = { ...data, state: 7 };
    const partly = { ...data, vrid: 300, effective_priority: "x", last_transition: -1, ifp_ifname: "" };
    const { vrid: _v, priority: _p, lastTransitionTs: _l, interface: _i, ...rest } = instance;
    expect(parseDump(JSON.stringify([{ data: odd }, { data: partly }, null, 3]))).toEqual([rest]);
  });

  test("no bytes make it throw, and no password comes out of it", () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json()), (text) => {
        expect(() => parseDump(text)).not.toThrow();
      }),
    );
    expect(JSON.stringify(parseDump(JSON.stringify([{ data }])))).not.toContain("k33pw4tc");
    expect(parseDump('[{"data":{"iname":"VI')).toBeUndefined();
  });
});
