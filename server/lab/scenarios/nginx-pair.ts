import { US_PER_SECOND } from "../../../collector/core/time.ts";
import type { Expectation } from "../compare.ts";
import type { Program, Scenario, Stage } from "../scenario.ts";
import { BACKENDS, balancer, NEW_PAGE, OTHER_HOSTS, PAGE, PAGE_DIGEST, PAGE_PATH, VIPS } from "./nginx-texts.ts";

const PROGRAMS: readonly Program[] = [
  { command: "nginx", debianPackage: "nginx-light" },
  { command: "killall", debianPackage: "psmisc" },
  { command: "start-stop-daemon", debianPackage: "dpkg" },
  { command: "/etc/init.d/keepalived", debianPackage: "keepalived" },
];

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
      ...(await configurationBreaks(stage)),
    ];
  },
};

/** The digest in the configuration is what keepalived's own tool computes of the page. */
async function digestIsGenhash(stage: Stage): Promise<Expectation[]> {
  const printed = await stage.exec("lb1", "genhash", "-s", WEB1.address, "-p", "80", "-u", "/index.html");
  return [{ fact: `genhash agrees with the digest configured, ${PAGE_DIGEST}`, holds: printed.includes(PAGE_DIGEST) }];
}

async function nginxDies(stage: Stage): Promise<Expectation[]> {
  await stage.watched("nginx is killed on lb1", async () => {
    await killNginx(stage, "lb1");
    await stage.until("lb2 to take over", 20, () => stage.truth.isHeldBy("lb2"));
    await stage.letRun(2);
  });
  await stage.watched("nginx is started again on lb1", async () => {
    await startNginx(stage, "lb1");
    await stage.until("lb1 to take back", 20, () => stage.truth.isHeldBy("lb1"));
    await stage.letRun(2);
  });
  return [];
}

async function backendDies(stage: Stage): Promise<Expectation[]> {
  await stage.watched(`nginx is killed on the backend ${WEB1.name}`, async () => {
    await killNginx(stage, WEB1.name);
    await stage.letRun(6);
  });
  await stage.watched(`nginx is started again on ${WEB1.name}`, async () => {
    await startNginx(stage, WEB1.name);
    await stage.letRun(5);
  });
  return [];
}

async function pageChanges(stage: Stage): Promise<Expectation[]> {
  await stage.watched(`a new page is put on ${WEB2.name} alone`, async () => {
    await stage.write(WEB2.name, PAGE_PATH, NEW_PAGE);
    await stage.letRun(6);
  });
  await stage.watched(`the old page is put back on ${WEB2.name}`, async () => {
    await stage.write(WEB2.name, PAGE_PATH, PAGE);
    await stage.letRun(5);
  });
  return [];
}

async function configurationBreaks(stage: Stage): Promise<Expectation[]> {
  const start = stage.now();
  await stage.watched("a broken configuration is started on lb1", async () => {
    await stage.configure("lb1", (good) => good.replace(/virtual_router_id \d+/, "virtual_router_id"));
    await stage.restartKeepalived("lb1");
    await stage.until("lb2 to take over", 20, () => stage.truth.isHeldBy("lb2"));
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
    { kind: "startup-failure", nodes: ["lb1"], start, end, toleranceUs: 3 * US_PER_SECOND, cause: "missing_parameter" },
  ];
}

export const nginxPairStrict: Scenario = {
  ...base,
  name: "nginx-pair-strict",
  about: "the same with vrrp_strict, as the packaged sample has it: the addresses are there, and answer nobody",
  nodes: [balancer("lb1", "a", 0, true), balancer("lb2", "b", 1, true)],
  async play(stage) {
    const view = await stage.watched("nothing is done: lb1 holds the address, and nginx runs", () => stage.letRun(5));
    return [
      {
        fact: `no request to ${VIPS[0]} is answered (${view.failed} of ${view.requests} failed)`,
        holds: view.requests > 0 && view.failed === view.requests,
      },
    ];
  },
};
