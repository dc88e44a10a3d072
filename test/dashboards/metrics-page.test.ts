import { join } from "node:path";
import { expect, test } from "vitest";
import { createFamilies } from "../../collector/metrics/families.ts";
import { KeepalivedTally } from "../../collector/metrics/tally.ts";
import { createMetrics } from "../../server/metrics.ts";
import { NOTHING_TO_SEE } from "../support/metrics-view.ts";
import { root } from "../support/process.ts";

interface Family {
  readonly name: string;
  readonly help: string;
  readonly type: string;
  readonly labelNames: readonly string[];
}

const familiesOf = (register: { getMetricsAsArray(): unknown }): Family[] =>
  (register.getMetricsAsArray() as (Family & { constructor: { name: string } })[]).map(
    ({ name, help, labelNames, constructor }) => ({ name, help, labelNames, type: constructor.name.toLowerCase() }),
  );

const PROGRAMS: Readonly<Record<string, readonly Family[]>> = {
  collector: familiesOf(
    createFamilies(new KeepalivedTally(), {
      status: () => [],
      pushState: () => ({ sent: 0, deadLettered: 0 }),
      spoolStats: () => ({ batches: 0, bytes: 0, kept: 0 }),
    }),
  ),
  server: familiesOf(createMetrics(NOTHING_TO_SEE).register),
};
const isOurs = ({ name }: Family): boolean => /^keep(watch|alived)_/.test(name);

const unitOf = (name: string): string =>
  /_(seconds|bytes)(?:_total)?$/.exec(name)?.[1] ?? (name.includes("arp_delay") ? "seconds" : "");

const tableOf = (families: readonly Family[]): string =>
  [
    "| name | type | labels | unit | what it is |",
    "|---|---|---|---|---|",
    ...families
      .filter(isOurs)
      .map(
        ({ name, type, labelNames, help }) =>
          `| \`${name}\` | ${type} | ${labelNames.map((label) => `\`${label}\``).join(" ")} | ${unitOf(name)} | ${help} |`,
      ),
  ].join("\n");

const page = `# Metrics

Made by \`npm run pages\` of what both programs register. Beside these each has its process's own, as
[prom-client](https://github.com/siimon/prom-client) names them: CPU, memory, event loop (\`process_…\`, \`nodejs_…\`).

## Of the collector

Off until its configuration says where to listen. 9165 is the port of the known keepalived exporters: a job that scrapes one goes on as it is
once the exporter is gone. \`GET /healthz\` answers \`ok\`. There is no login and no TLS: keep it on loopback or a network of your own.

\`\`\`toml
[metrics]
listen = "127.0.0.1:9165"
\`\`\`

The \`keepalived_…\` series have the names and labels of those exporters (\`iname\` instance, \`intf\` interface, \`vrid\`, \`ip_address\`), counted
of what the collector observes: no signal is sent to keepalived. So counters begin with the collector, and not with keepalived; what the log does not
say (keepalived 2.3.3 and newer say a refusal once an instance and master) is not counted; \`ip_address\` has no prefix length.
What cannot be seen has no series: adverts without the capture, \`keepalived_up\` without the processes, a state of which there is no sign.

${tableOf(PROGRAMS["collector"] ?? [])}

Of the exporters' series these are not offered:

| name | why |
|---|---|
| \`keepalived_script_state\` | whether a script is running right now is only in keepalived's own memory |
| \`keepalived_check_script_status\`, \`keepalived_exporter_check_script_status\` | a script of the exporter's own: keepwatch runs none |
| \`keepalived_exporter_build_info\` | it is not that exporter: \`keepwatch_build_info\` |

## Of the server

At \`/metrics\` of its address. \`keepalived_vrrp_state\` is there for all nodes, with \`cluster\`, \`router\` and \`node\` beside the exporters' labels:
who scrapes collectors too tells the two apart by these, or by the job.

${tableOf(PROGRAMS["server"] ?? [])}
`;

test("the page tells what is registered: otherwise run npm run pages", async () => {
  await expect(page).toMatchFileSnapshot(join(root, "dashboards/METRICS.md"));
});

test.each(Object.entries(PROGRAMS))("the names of the %s are Prometheus'", (_program, families) => {
  const ours = families.filter(isOurs);
  expect(ours.length).toBeGreaterThan(10);
  for (const { name, type, help } of ours) {
    expect([name, name.endsWith("_total")]).toEqual([name, type === "counter"]);
    expect(help.length).toBeGreaterThan(10);
  }
});
