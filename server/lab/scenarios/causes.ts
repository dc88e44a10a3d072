import { US_PER_SECOND } from "../../../collector/core/time.ts";
import type { IncidentKind } from "../../detect/incident.ts";
import type { Expectation } from "../compare.ts";
import { addressOf } from "../network.ts";
import type { HostSpec, Scenario, Stage } from "../scenario.ts";
import { UNREAD_SOCKET } from "../unread-socket.ts";
import { keepalivedConf, TOLERANCE_US, TWO_NODES, VIP } from "./pair.ts";

/** One way in which a pair loses its one master, and the cause that must be found. */
interface Trouble {
  readonly name: string;
  readonly about: string;
  readonly cause: string;
  /** Nodes that hold the address meanwhile; none: nobody does. */
  readonly masters?: readonly string[];
  /** How long it is left so, seconds. */
  readonly seconds?: number;
  readonly bring: (stage: Stage) => Promise<void>;
  readonly mend: (stage: Stage) => Promise<void>;
  /** Who holds the address when it is mended. */
  readonly mended?: readonly string[];
}

/** Kinds that tell of the same trouble in their own way, on one node. */
const BESIDE: readonly IncidentKind[] = ["shadow-divergence", "startup-failure", "vip-conflict", "instance-fault"];

function scenarioOf(trouble: Trouble): Scenario {
  const { name, about, cause, masters = ["lb1", "lb2"], seconds = 8, mended = ["lb1"] } = trouble;
  return {
    name,
    about,
    nodes: TWO_NODES,
    vip: VIP,
    programs: [
      { command: "nft", debianPackage: "nftables" },
      { command: "pgrep", debianPackage: "procps" },
      { command: "perl", debianPackage: "perl-base" },
    ],
    async play(stage) {
      await trouble.bring(stage);
      await stage.until(`${masters.join(" and ") || "nobody"} to hold the address`, 20, () =>
        stage.truth.isHeldBy(...masters),
      );
      await stage.letRun(seconds);
      await trouble.mend(stage);
      await stage.until(`${mended.join(" and ")} alone to hold it`, 20, () => stage.truth.isHeldBy(...mended));
      await stage.letRun(3);
      const truths = masters.length > 1 ? stage.truth.overlaps() : stage.truth.gaps();
      const expected = truths
        .filter(({ from, to }) => (to ?? stage.now()) - from > TELLING_US)
        .map(
          ({ from, to }): Expectation => ({
            kind: masters.length > 1 ? "split-brain" : "no-master",
            nodes: ["lb1", "lb2"],
            start: from,
            end: to,
            toleranceUs: TOLERANCE_US,
            cause,
          }),
        );
      return [...expected, ...BESIDE.map((kind) => ({ beside: kind }))];
    },
  };
}

/** An overlap or a gap shorter than this is a takeover. */
const TELLING_US = 5 * US_PER_SECOND;

/** Another text for one node, and a restart with it. */
const reconfigured = (node: string, change: (text: string) => string): Pick<Trouble, "bring" | "mend"> => ({
  bring: async (stage) => {
    await stage.configure(node, change);
    await stage.restartKeepalived(node);
  },
  mend: async (stage) => {
    await stage.configure(node);
    await stage.restartKeepalived(node);
  },
});

async function reconfigureBoth(stage: Stage, change?: (text: string, node: string) => string): Promise<void> {
  for (const node of stage.nodes) {
    await stage.configure(node, change && ((text) => change(text, node)));
    await stage.restartKeepalived(node);
  }
}

const nft = async (stage: Stage, node: string, hook: "input" | "output"): Promise<void> => {
  stage.say(`deed: ${node} drops IP protocol 112 on ${hook}`);
  const rules = `table inet lab { chain c { type filter hook ${hook} priority 0; ip protocol 112 drop; }; }`;
  await stage.exec(node, "nft", rules);
};
const nftOff = async (stage: Stage, node: string): Promise<void> => {
  await stage.exec(node, "nft", "delete table inet lab");
  stage.say(`deed: ${node} drops nothing any more`);
};

/** A signal to the parent and its children, or to the children alone. */
const signal = async (stage: Stage, node: string, name: string, whom: "all" | "children"): Promise<void> => {
  stage.say(`deed: SIG${name} to keepalived's ${whom === "all" ? "processes" : "children"} on ${node}`);
  const children = 'children="$(pgrep -P "$(cat /run/keepalived.pid)")"';
  const pids = whom === "all" ? '"$(cat /run/keepalived.pid)" $children' : "$children";
  await stage.exec(node, "sh", "-c", `${children}; kill -${name} ${pids}`);
};

/** Pauses a node's VRRP process as a container is paused, or a virtual machine: its state does not show it. */
const pause = async (stage: Stage, node: string, paused: boolean): Promise<void> => {
  stage.say(`deed: the VRRP process on ${node} is ${paused ? "paused" : "let go on"}`);
  const group = "/run/cgroup/keepwatch-lab";
  const make = `mkdir -p /run/cgroup; mount -t cgroup2 none /run/cgroup; mkdir ${group}-$$; echo ${group}-$$ > /run/paused`;
  const enter = 'cat /run/vrrp.pid > "$(cat /run/paused)/cgroup.procs"';
  const leave = 'cat /run/vrrp.pid > /run/cgroup/cgroup.procs; rmdir "$(cat /run/paused)"; umount /run/cgroup';
  const freeze = `echo ${paused ? 1 : 0} > "$(cat /run/paused)/cgroup.freeze"`;
  await stage.exec(node, "sh", "-ec", paused ? `${make}; ${enter}; ${freeze}` : `${freeze}; ${leave}`);
};

/** Its adverts come so fast that a master which refuses them, and sets its timer anew with each, never sends one of its own. */
const OTHER_CLUSTER: HostSpec = {
  name: "other",
  side: "b",
  number: 77,
  files: {
    "/etc/keepalived/keepalived.conf": keepalivedConf({
      name: "other",
      state: "MASTER",
      priority: 200,
      vips: ["10.99.0.200"],
    })
      .replace(/authentication \{[^}]*\}/, "")
      .replace("advert_int 1", "version 3\n    advert_int 0.3"),
  },
};

const TROUBLES: readonly Trouble[] = [
  {
    name: "filtered",
    about: "a firewall on the backup drops the adverts that reach it",
    cause: "filtered",
    bring: (stage) => nft(stage, "lb2", "input"),
    mend: (stage) => nftOff(stage, "lb2"),
  },
  {
    name: "not-sent",
    about: "a firewall on the master drops what it sends",
    cause: "adverts-not-sent",
    bring: (stage) => nft(stage, "lb1", "output"),
    mend: (stage) => nftOff(stage, "lb1"),
  },
  {
    name: "one-way",
    about: "the switch loses the master's adverts, and not the backup's",
    cause: "one-way",
    bring: (stage) => stage.loseAdverts("lb1"),
    mend: (stage) => stage.loseAdverts(undefined),
  },
  {
    name: "auth-mismatch",
    about: "the backup comes back with another password",
    cause: "auth-mismatch",
    ...reconfigured("lb2", (text) => text.replace(/auth_pass \S+/, "auth_pass an0ther")),
  },
  {
    name: "auth-type-mismatch",
    about: "the backup comes back without authentication",
    cause: "auth-type-mismatch",
    ...reconfigured("lb2", (text) => text.replace(/authentication \{[^}]*\}/, "")),
  },
  {
    name: "interval-mismatch",
    about: "the backup comes back with another advert interval",
    cause: "interval-mismatch",
    ...reconfigured("lb2", (text) => text.replace("advert_int 1", "advert_int 2")),
  },
  {
    name: "version-mismatch",
    about: "the backup comes back with VRRP version 3",
    cause: "version-mismatch",
    ...reconfigured("lb2", (text) =>
      text.replace(/authentication \{[^}]*\}/, "").replace("advert_int 1", "advert_int 1\n    version 3"),
    ),
  },
  {
    name: "vip-list-mismatch",
    about: "the backup comes back with one more address",
    cause: "vip-list-mismatch",
    ...reconfigured("lb2", (text) => text.replace(`${VIP}/24`, `${VIP}/24\n        10.99.0.101/24`)),
  },
  {
    name: "equal-priority",
    about: "both have the same priority and send from the same address: when a cut trunk is healed, neither gives way",
    cause: "equal-priority",
    bring: async (stage) => {
      await reconfigureBoth(stage, (text) =>
        text
          .replace(/priority \d+/, "priority 100")
          .replace("advert_int 1", "advert_int 1\n    mcast_src_ip 10.99.0.50"),
      );
      await stage.cutTrunk();
      await stage.until("both to hold the address", 20, () => stage.truth.isHeldBy("lb1", "lb2"));
      await stage.healTrunk();
    },
    mend: (stage) => reconfigureBoth(stage),
  },
  {
    name: "unicast-peer-missing",
    about: "both go unicast, and the master names a peer that is not the backup",
    cause: "unicast-peer-missing",
    bring: async (stage) => {
      const peers: Readonly<Record<string, number>> = { lb1: 13, lb2: 11 };
      await reconfigureBoth(stage, (text, node) => {
        const peer = addressOf(peers[node] ?? 0);
        return text.replace("advert_int 1", `advert_int 1\n    unicast_peer {\n        ${peer}\n    }`);
      });
    },
    mend: (stage) => reconfigureBoth(stage),
  },
  {
    name: "frozen",
    about: "the master's VRRP process is stopped by a signal, and goes on later",
    cause: "frozen",
    bring: (stage) => signal(stage, "lb1", "STOP", "children"),
    mend: (stage) => signal(stage, "lb1", "CONT", "children"),
  },
  {
    name: "paused",
    about: "the master's VRRP process gets no CPU for a while, as a paused container: nothing but its own log tells",
    cause: "scheduler-stall",
    bring: (stage) => pause(stage, "lb1", true),
    mend: (stage) => pause(stage, "lb1", false),
  },
  {
    name: "socket-not-read",
    about: "the backup's keepalived runs and does not read its socket any more",
    cause: "socket-not-read",
    bring: async (stage) => {
      stage.say("deed: keepalived on lb2 loses track of its socket");
      await stage.exec("lb2", "sh", "-c", 'perl -e "$1" "$(cat /run/vrrp.pid)"', "sh", UNREAD_SOCKET);
    },
    mend: (stage) => stage.restartKeepalived("lb2"),
  },
  {
    name: "killed",
    about: "the master's keepalived is killed, and its address stays",
    cause: "zombie-vip",
    bring: (stage) => signal(stage, "lb1", "KILL", "all"),
    mend: (stage) => stage.startKeepalived("lb1"),
  },
  {
    name: "failed-reload",
    about: "the master is reloaded with an interface that does not exist",
    cause: "failed-reload",
    bring: async (stage) => {
      await stage.configure("lb1", (text) => text.replace("interface eth0", "interface eth9"));
      await stage.reloadKeepalived("lb1");
    },
    mend: async (stage) => {
      await stage.configure("lb1");
      await stage.startKeepalived("lb1");
    },
  },
  {
    name: "all-stopped",
    about: "both nodes are stopped in order",
    cause: "stopped",
    masters: [],
    bring: async (stage) => {
      await stage.stopKeepalived("lb2");
      await stage.stopKeepalived("lb1");
    },
    mend: async (stage) => {
      for (const node of stage.nodes) await stage.startKeepalived(node);
    },
  },
  {
    name: "all-unplugged",
    about: "both nodes lose their link",
    cause: "link-down",
    masters: [],
    bring: async (stage) => {
      for (const node of stage.nodes) await stage.setCable(node, false);
    },
    mend: async (stage) => {
      for (const node of stage.nodes) await stage.setCable(node, true);
    },
  },
];

/** A parent that is killed takes no child with it that hangs: the child is an orphan, and an orphan that wakes is a master nobody controls. */
const orphan: Scenario = {
  name: "orphan",
  about:
    "the backup's VRRP process hangs while its parent is killed: it is left behind without a parent and without a pid file that counts",
  nodes: TWO_NODES,
  vip: VIP,
  programs: [{ command: "pgrep", debianPackage: "procps" }],
  async play(stage) {
    await signal(stage, "lb2", "STOP", "children");
    const start = stage.now();
    stage.say("deed: SIGKILL to keepalived's parent process on lb2");
    await stage.exec("lb2", "sh", "-c", 'kill -KILL "$(cat /run/keepalived.pid)"');
    await stage.letRun(8);
    const end = stage.now();
    stage.say("deed: SIGKILL to the orphan on lb2");
    await stage.exec("lb2", "sh", "-c", "kill -KILL $(pgrep -x keepalived)");
    await stage.startKeepalived("lb2");
    await stage.letRun(5);
    return [
      { kind: "startup-failure", nodes: ["lb2"], start, end, toleranceUs: TOLERANCE_US, cause: "orphaned-child" },
      ...BESIDE.map((kind) => ({ beside: kind })),
    ];
  },
};

/** Debian's script waits one second between stop and start, and takes the daemon that is still there for the one it should start. */
const idleRestart: Scenario = {
  name: "idle-restart",
  about:
    "the backup, slow to end, is restarted by Debian's script: nothing is started, and the script ends with status 0",
  nodes: TWO_NODES.map((node) => ({
    ...node,
    start: "init-script" as const,
    folders: ["/etc/default"],
    files: { "/etc/default/keepalived": 'DAEMON_ARGS="-P -D"\n' },
  })),
  vip: VIP,
  programs: [{ command: "pgrep", debianPackage: "procps" }],
  async play(stage) {
    await signal(stage, "lb2", "STOP", "children");
    const start = stage.now();
    await stage.restartKeepalived("lb2");
    await signal(stage, "lb2", "CONT", "children");
    await stage.letRun(20);
    const end = stage.now();
    await stage.startKeepalived("lb2");
    await stage.letRun(6);
    return [
      { kind: "startup-failure", nodes: ["lb2"], start, end, toleranceUs: 2 * TOLERANCE_US, cause: "nothing-started" },
      ...BESIDE.map((kind) => ({ beside: kind })),
    ];
  },
};

/**
 * A master of 2.x that refuses a stranger's adverts sets its own timer anew with each of them and falls silent; its backup takes
 * over, is answered at once, and gives way a few milliseconds later: again and again, and never two masters for long.
 */
const vridClash: Scenario = {
  name: "vrid-clash",
  about:
    "another cluster appears on the network with the same VRID: the address jumps to the backup and back for milliseconds",
  nodes: TWO_NODES.map((node) => ({
    ...node,
    keepalivedConf: node.keepalivedConf.replace("advert_int 1", "advert_int 2"),
  })),
  hosts: [OTHER_CLUSTER],
  vip: VIP,
  async play(stage) {
    const from = stage.now();
    stage.say("deed: another cluster's keepalived is started, VRID 51 too");
    await stage.exec("other", "keepalived", "-P");
    await stage.until("lb2 to take the address twice, for a moment", 40, () => stage.truth.intervals("lb2").length > 2);
    await stage.letRun(3);
    await stage.exec("other", "sh", "-c", 'kill "$(cat /run/keepalived.pid)"');
    stage.say("deed: the other cluster's keepalived is stopped");
    await stage.letRun(5);
    const peer = addressOf(OTHER_CLUSTER.number);
    return [
      // Its log is read on from when it was BACKUP already: the fourth change is the third time that it takes the address.
      {
        kind: "flapping",
        nodes: ["lb2"],
        start: stage.truth.intervals("lb2")[2]?.from ?? 0,
        end: null,
        toleranceUs: TOLERANCE_US,
        cause: "vrid-clash",
      },
      ...stage.nodes.map((node) => ({
        event: "shadow.advert-rejected" as const,
        node,
        fields: { peer, reason: "version", over: false },
        from,
        to: stage.now(),
      })),
      ...BESIDE.map((kind) => ({ beside: kind })),
    ];
  },
};

/** The master misses two turns and no more: nobody takes over, and yet it was near. */
const stall: Scenario = {
  name: "stall",
  about:
    "the master's VRRP process does not run for two and a half seconds: the backup would have taken over in the fourth",
  nodes: TWO_NODES,
  vip: VIP,
  programs: [{ command: "pgrep", debianPackage: "procps" }],
  async play(stage) {
    const start = stage.now();
    await signal(stage, "lb1", "STOP", "children");
    await stage.letRun(2.5);
    await signal(stage, "lb1", "CONT", "children");
    await stage.letRun(6);
    return [
      {
        kind: "near-miss",
        nodes: ["lb1"],
        start,
        end: null,
        toleranceUs: 4 * US_PER_SECOND,
        cause: "scheduler-stall",
      },
      { fact: "lb1 alone held the address all the time", holds: stage.truth.intervals("lb2").length === 0 },
      ...BESIDE.map((kind) => ({ beside: kind })),
    ];
  },
};

export const causeScenarios: readonly Scenario[] = [...TROUBLES.map(scenarioOf), vridClash, stall, orphan, idleRestart];
