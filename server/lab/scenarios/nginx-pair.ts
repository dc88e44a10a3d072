import { US_PER_SECOND } from "../../../collector/core/time.ts";
import type { Event } from "../../../collector/events/event.ts";
import type { ClientView } from "../client-view.ts";
import type { Expectation } from "../compare.ts";
import type { Program, Scenario, Stage } from "../scenario.ts";
import {
  type Backend,
  BACKENDS,
  balancer,
  NEW_PAGE,
  OPTIONS_LOST,
  OPTIONS_PATH,
  OTHER_HOSTS,
  PAGE,
  PAGE_DIGEST,
  PAGE_PATH,
  SORRY_SERVER,
  VIPS,
  VIRTUAL_SERVER,
} from "./nginx-texts.ts";

const PROGRAMS: readonly Program[] = [
  { command: "nginx", debianPackage: "nginx-light" },
  { command: "killall", debianPackage: "psmisc" },
  { command: "nft", debianPackage: "nftables" },
  { command: "start-stop-daemon", debianPackage: "dpkg" },
  { command: "/etc/init.d/keepalived", debianPackage: "keepalived" },
];

const TOLERANCE_US = 1.5 * US_PER_SECOND;
/** Two rounds of a checker, with its retry and its timeout, on a busy machine. */
const CHECKED_WITHIN_US = 10 * US_PER_SECOND;
/** No scenario takes longer to come to its first deed. */
const SINCE_START_US = 60 * US_PER_SECOND;
const [WEB1, WEB2] = BACKENDS;

const base = {
  hosts: OTHER_HOSTS,
  vip: VIPS[0],
  programs: PROGRAMS,
  client: { host: "client", url: `http://${VIPS[0]}/index.html` },
  mail: "mail",
} as const;

const killNginx = (stage: Stage, host: string): Promise<string> => stage.exec(host, "killall", "-KILL", "nginx");
const startNginx = (stage: Stage, host: string): Promise<string> => stage.exec(host, "/etc/init.d/nginx", "start");

export const nginxPair: Scenario = {
  ...base,
  name: "nginx-pair",
  about:
    "two balancers with nginx, two backends, the packaged init script: nginx dies, a backend dies, a page changes, a broken configuration is started",
  nodes: [balancer("lb1", "a", 0, false), balancer("lb2", "b", 1, false)],
  async play(stage) {
    return [
      ...(await digestIsGenhash(stage)),
      ...(await nginxDies(stage)),
      ...(await backendDies(stage)),
      ...(await pageChanges(stage)),
      ...(await backendsDie(stage)),
      ...(await configurationBreaks(stage)),
      ...(await optionsAreLost(stage)),
    ];
  },
};

/** The digest in the configuration is what keepalived's own tool computes of the page. */
async function digestIsGenhash(stage: Stage): Promise<Expectation[]> {
  const printed = await stage.exec("lb1", "genhash", "-s", WEB1.address, "-p", "80", "-u", "/index.html");
  return [{ fact: `genhash agrees with the digest configured, ${PAGE_DIGEST}`, holds: printed.includes(PAGE_DIGEST) }];
}

/** nginx dies on the master: the script fails, the priority drops below the other's, and lb2 takes over. */
async function nginxDies(stage: Stage): Promise<Expectation[]> {
  const from = stage.now();
  const down = await stage.watched("nginx is killed on lb1", async () => {
    await killNginx(stage, "lb1");
    await stage.until("lb2 to take over", 20, () => stage.truth.isHeldBy("lb2"));
    await stage.letRun(2);
  });
  const masters = await stage.masters();
  const takenOver = stage.now();
  await stage.watched("nginx is started again on lb1", async () => {
    await startNginx(stage, "lb1");
    await stage.until("lb1 to take back", 20, () => stage.truth.isHeldBy("lb1"));
    await stage.letRun(2);
  });
  const seen = { node: "lb1", source: "log", from, to: takenOver } as const;
  return [
    clientMoved("nginx killed on lb1", down, "lb1", "lb2"),
    { fact: "the server holds lb2 for the one master, two seconds after", holds: masters.join() === "lb2" },
    { ...seen, event: "script.result", fields: { script: "chk_nginx", outcome: "failure" } },
    { ...seen, event: "vrrp.priority-changed", fields: { instance: "VI_1", from: 101, to: 81 } },
    { ...seen, event: "vrrp.state", fields: { instance: "VI_1", state: "BACKUP" } },
    { ...seen, node: "lb2", event: "vrrp.state", fields: { instance: "VI_1", state: "MASTER" } },
    { mail: /^\[lb1\] VRRP Instance VI_1 - Entering BACKUP state/, since: from },
    { mail: /^\[lb2\] VRRP Instance VI_1 - Entering MASTER state/, since: from },
  ];
}

/** The collectors check the real servers as keepalived would: a backend that dies is refused a connection. */
async function backendDies(stage: Stage): Promise<Expectation[]> {
  const start = stage.now();
  const down = await stage.watched(`nginx is killed on the backend ${WEB1.name}`, async () => {
    await killNginx(stage, WEB1.name);
    await checksSay(stage, "check.server-down", WEB1.service, start);
    await stage.letRun(2);
  });
  const mended = stage.now();
  await stage.watched(`nginx is started again on ${WEB1.name}`, async () => {
    await startNginx(stage, WEB1.name);
    await checksSay(stage, "check.server-up", WEB1.service, mended);
    await stage.letRun(2);
  });
  return [
    {
      fact: `without ${WEB1.name}, lb1's nginx asks ${WEB2.name} alone`,
      holds: down.after.join() === `lb1/${WEB2.name}`,
    },
    ...serverWasDown(WEB1, "connect", start, mended),
  ];
}

/** A page of which one backend has another version: no client sees an error, and the digest tells. */
async function pageChanges(stage: Stage): Promise<Expectation[]> {
  const start = stage.now();
  const changed = await stage.watched(`a new page is put on ${WEB2.name} alone`, async () => {
    await stage.write(WEB2.name, PAGE_PATH, NEW_PAGE);
    await checksSay(stage, "check.server-down", WEB2.service, start);
    await stage.letRun(2);
  });
  const mended = stage.now();
  await stage.watched(`the old page is put back on ${WEB2.name}`, async () => {
    await stage.write(WEB2.name, PAGE_PATH, PAGE);
    await checksSay(stage, "check.server-up", WEB2.service, mended);
    await stage.letRun(2);
  });
  return [
    { fact: "the client gets one page or the other, and no error", holds: changed.pages === 2 && changed.failed === 0 },
    ...serverWasDown(WEB2, "digest", start, mended),
  ];
}

/** Both backends die: the quorum is lost, and the sorry server comes in. */
async function backendsDie(stage: Stage): Promise<Expectation[]> {
  const start = stage.now();
  const sorry = await stage.watched("nginx is killed on both backends", async () => {
    for (const { name } of BACKENDS) await killNginx(stage, name);
    await checksSay(stage, "check.quorum-lost", VIRTUAL_SERVER, start);
    await stage.letRun(2);
  });
  const mended = stage.now();
  await stage.watched("nginx is started again on both", async () => {
    for (const { name } of BACKENDS) await startNginx(stage, name);
    for (const { service } of BACKENDS) await checksSay(stage, "check.server-up", service, mended);
    await stage.letRun(2);
  });
  return [
    { fact: "without backends the client gets lb1's sorry page", holds: sorry.after.join() === "lb1/sorry" },
    ...BACKENDS.flatMap((backend) => serverWasDown(backend, "connect", start, mended)),
    {
      kind: "quorum-lost",
      nodes: stage.nodes,
      service: VIRTUAL_SERVER,
      start,
      end: mended,
      toleranceUs: CHECKED_WITHIN_US,
    },
    ...stage.nodes.map(
      (node): Expectation => ({
        event: "check.sorry-server",
        node,
        source: "check",
        fields: { virtualServer: VIRTUAL_SERVER, sorryServer: SORRY_SERVER, action: "added" },
        from: start,
        to: mended,
      }),
    ),
    { mail: /^\[keepwatch\] CRITICAL quorum-lost /, since: start },
  ];
}

/** Waits until the checks of every node have come to it. */
function checksSay(stage: Stage, kind: CheckKind, service: string, since: number): Promise<void> {
  return stage.until(`the checks of both nodes to say ${kind} of ${service}`, 30, async () => {
    const events = await stage.events([kind], since);
    const sayers = events.filter((event) => event.source === "check" && isOf(event, service));
    return stage.nodes.every((node) => sayers.some((event) => event.node === node));
  });
}

type CheckKind = "check.server-up" | "check.server-down" | "check.quorum-lost";

const isOf = (event: Event, service: string): boolean =>
  ("realServer" in event ? event.realServer : "virtualServer" in event && event.virtualServer) === service;

/** Both nodes take it out and say why, and both put it back. */
function serverWasDown({ service }: Backend, cause: string, start: number, end: number): Expectation[] {
  return [
    {
      kind: "service-down",
      nodes: ["lb1", "lb2"],
      service: `${VIRTUAL_SERVER}/${service}`,
      start,
      end,
      toleranceUs: CHECKED_WITHIN_US,
      cause,
    },
    ...["lb1", "lb2"].map(
      (node): Expectation => ({
        event: "check.result",
        node,
        source: "check",
        fields: { service, outcome: "down", reason: cause },
        from: start,
        to: end,
      }),
    ),
  ];
}

/**
 * Debian's script waits one second between stop and start, and a master takes about as long to end: its restart may start
 * nothing and yet end with status 0. So the operator starts it once more, with a file that is broken.
 */
async function configurationBreaks(stage: Stage): Promise<Expectation[]> {
  const start = stage.now();
  const broken = await stage.watched("a broken configuration is started on lb1", async () => {
    await stage.configure("lb1", (good) => good.replace(/virtual_router_id \d+/, "virtual_router_id"));
    await stage.restartKeepalived("lb1");
    await stage.until("lb2 to take over", 20, () => stage.truth.isHeldBy("lb2"));
    await stage.letRun(1);
    await stage.startKeepalived("lb1");
    await stage.letRun(4);
  });
  await stage.configure("lb1");
  const end = stage.now();
  await stage.watched("the configuration is mended and started on lb1", async () => {
    await stage.startKeepalived("lb1");
    await stage.until("lb1 to take back", 20, () => stage.truth.isHeldBy("lb1"));
    await stage.letRun(5);
  });
  return [
    clientMoved("a broken configuration on lb1", broken, "lb1", "lb2"),
    { kind: "startup-failure", nodes: ["lb1"], start, end, toleranceUs: 3 * US_PER_SECOND, cause: "missing_parameter" },
    // Twice there and back within two minutes.
    {
      kind: "flapping",
      nodes: ["lb1", "lb2"],
      start: stage.truth.lastTaken("lb1"),
      end: null,
      toleranceUs: TOLERANCE_US,
      cause: "ownership",
    },
    { mail: /^\[keepwatch\] CRITICAL startup-failure .*lb1/, since: start },
    { mail: /^\[keepwatch\] RESOLVED startup-failure .*lb1/, since: start },
  ];
}

/** The variable of Red Hat's package in Debian's file: nobody reads it, and keepalived runs with other options than it was given. */
async function optionsAreLost(stage: Stage): Promise<Expectation[]> {
  const from = stage.now();
  await stage.watched(
    "the options of lb2 are put into KEEPALIVED_OPTIONS, which Debian's script does not read",
    async () => {
      await stage.write("lb2", OPTIONS_PATH, OPTIONS_LOST);
      await stage.stopKeepalived("lb2");
      await stage.startKeepalived("lb2");
      await stage.letRun(6);
    },
  );
  const to = stage.now();
  return [
    {
      kind: "startup-failure",
      nodes: ["lb2"],
      start: from,
      end: null,
      toleranceUs: 3 * US_PER_SECOND,
      cause: "ipvs-unavailable",
    },
    {
      node: "lb2",
      source: "config",
      event: "config.diagnostic",
      fields: { code: "environment_variable_unused" },
      from,
      to,
    },
  ];
}

const clientMoved = (what: string, view: ClientView, before: string, after: string): Expectation => ({
  fact: `${what}: the client is served by ${before} before, and by ${after} after`,
  holds: isServedBy(view.before, before) && isServedBy(view.after, after),
});

const isServedBy = (answerers: readonly string[], node: string): boolean =>
  answerers.length > 0 && answerers.every((name) => name.startsWith(`${node}/`));

/** What keepwatch must say of the configuration as soon as it has read it. */
const STRICT_CODES: readonly string[] = ["strict_firewall", "auth_strict_ignored", "strict_state"];

/**
 * A strict master has the firewall drop what is sent to its addresses. keepalived 2.2.7 forgets its table when a reload takes
 * vrrp_strict away: neither that nor a stop removes it, and the node is deaf whenever it is master, until somebody deletes it.
 */
export const nginxPairStrict: Scenario = {
  ...base,
  name: "nginx-pair-strict",
  about: "the same pair with vrrp_strict, as the packaged sample has it: the addresses are there, and answer nobody",
  nodes: [balancer("lb1", "a", 0, true), balancer("lb2", "b", 1, true)],
  async play(stage) {
    const from = stage.now();
    for (const event of await stage.events(["config.diagnostic"], from - SINCE_START_US))
      if (event.kind === "config.diagnostic" && event.node === "lb1" && STRICT_CODES.includes(event.code))
        stage.say(`keepwatch of lb1: ${event.code}: ${event.message}`);
    const strict = await stage.watched("nothing is done: lb1 holds the address, and nginx runs", () => stage.letRun(4));
    const rules = await stage.exec("lb1", "nft", "list", "ruleset");
    const reloaded = await stage.watched("vrrp_strict is removed, and both are reloaded", async () => {
      for (const node of stage.nodes) await stage.configure(node, (text) => text.replace("vrrp_strict", ""));
      for (const node of stage.nodes) await stage.reloadKeepalived(node);
      await stage.letRun(4);
    });
    const lb2Serves = await stage.watched("lb2 is started anew, and lb1 is stopped", async () => {
      await stage.stopKeepalived("lb2");
      await stage.startKeepalived("lb2");
      await stage.letRun(2);
      await stage.stopKeepalived("lb1");
      await stage.until("lb2 to take over", 20, () => stage.truth.isHeldBy("lb2"));
      await stage.letRun(2);
    });
    const leftBehind = await stage.exec("lb1", "nft", "list", "ruleset");
    const lb1Deaf = await stage.watched("lb1 is started anew", async () => {
      await stage.startKeepalived("lb1");
      await stage.until("lb1 to take back", 20, () => stage.truth.isHeldBy("lb1"));
      await stage.letRun(2);
    });
    const lb1Serves = await stage.watched("the table that keepalived left behind on lb1 is deleted", async () => {
      await stage.exec("lb1", "nft", "delete", "table", "ip", "keepalived");
      await stage.letRun(2);
    });
    return [
      isDeaf(`lb1 with vrrp_strict answers no request to ${VIPS[0]}`, strict),
      { fact: `keepalived has the firewall of lb1 drop ${VIPS[0]}`, holds: rules.includes(VIPS[0]) },
      isDeaf("after a reload without it lb1 still answers none", reloaded),
      { fact: "lb2, started without it, answers", holds: isServedBy(lb2Serves.after, "lb2") },
      { fact: "the rules outlive the daemon that made them", holds: leftBehind.includes(VIPS[0]) },
      { fact: "lb1, started without it, is master and answers nobody", holds: lb1Deaf.after.length === 0 },
      { fact: "without the rules lb1 answers", holds: isServedBy(lb1Serves.after, "lb1") },
      ...STRICT_CODES.map((code) => ({
        event: "config.diagnostic" as const,
        node: "lb1",
        source: "config" as const,
        fields: { code },
        from: from - SINCE_START_US,
        to: from,
      })),
    ];
  },
};

const isDeaf = (what: string, { requests, failed }: ClientView): Expectation => ({
  fact: `${what} (${failed} of ${requests} failed)`,
  holds: requests > 0 && failed === requests,
});
