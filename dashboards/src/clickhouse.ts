import {
  AnnotationQueryBuilder,
  type Dashboard,
  DashboardBuilder,
  QueryVariableBuilder,
  VariableRefresh,
} from "@grafana/grafana-foundation-sdk/dashboard";
import { PanelBuilder as StateTimelinePanel } from "@grafana/grafana-foundation-sdk/statetimeline";
import { PanelBuilder as TablePanel } from "@grafana/grafana-foundation-sdk/table";
import { PanelBuilder as TimeSeriesPanel } from "@grafana/grafana-foundation-sdk/timeseries";
import { CLICKHOUSE, chosenSource, sql } from "./sources.ts";
import { SERVER_STATES, VRRP_STATES } from "./states.ts";

/** Over the store: the events themselves, as far back as they are kept. */
export const clickhouseDashboards = (): Readonly<Record<string, Dashboard>> => ({
  "clickhouse-fleet": fleet(),
  "clickhouse-router": router(),
  "clickhouse-checks": checks(),
  "clickhouse-keepwatch": itself(),
});

/** Instants in the store are microseconds since the epoch. */
const TIME = "fromUnixTimestamp64Micro(ts)";
const RANGE = "ts >= toInt64(${__from}) * 1000 AND ts < toInt64(${__to}) * 1000";
const field = (name: string): string => `JSONExtractString(event, '${name}')`;
const told = (name: string): string => `JSONExtractString(incident, '${name}')`;

const INCIDENTS = `SELECT fromUnixTimestamp64Micro(startTs) AS time, ${told("summary")} AS text, kind AS title, concat(cluster, ',', kind) AS tags
FROM incidents FINAL WHERE startTs >= toInt64(\${__from}) * 1000 AND startTs < toInt64(\${__to}) * 1000 AND ${told("status")} != 'withdrawn' ORDER BY time`;

const board = (uid: string, title: string): DashboardBuilder =>
  new DashboardBuilder(title)
    .uid(`keepwatch-clickhouse-${uid}`)
    .tags(["keepwatch", "keepalived"])
    .time({ from: "now-6h", to: "now" })
    .withVariable(chosenSource("grafana-clickhouse-datasource"))
    .annotation(
      new AnnotationQueryBuilder()
        .name("Incidents")
        .datasource(CLICKHOUSE)
        .enable(true)
        .iconColor("red")
        .target(sql(INCIDENTS)),
    );

const fleet = (): Dashboard =>
  board("fleet", "keepwatch / fleet (ClickHouse)")
    .withPanel(
      new TablePanel()
        .title("Incidents")
        .span(24)
        .height(10)
        .withTarget(
          sql(
            `SELECT fromUnixTimestamp64Micro(startTs) AS time, kind, cluster, ${told("certainty")} AS certainty, ${told("status")} AS status, ${told("summary")} AS summary FROM incidents FINAL WHERE startTs >= toInt64(\${__from}) * 1000 AND startTs < toInt64(\${__to}) * 1000 ORDER BY startTs DESC LIMIT 500`,
          ),
        ),
    )
    .withPanel(
      new TablePanel()
        .title("Last word of each node")
        .span(24)
        .height(8)
        .withTarget(
          sql(
            `SELECT cluster, node, max(fromUnixTimestamp64Micro(ts)) AS last, uniqExact(id) AS events FROM events WHERE ${RANGE} GROUP BY cluster, node ORDER BY cluster, node`,
          ),
        ),
    )
    .build();

const router = (): Dashboard =>
  board("router", "keepwatch / virtual router (ClickHouse)")
    .withVariable(
      new QueryVariableBuilder("cluster")
        .datasource(CLICKHOUSE)
        .query("SELECT DISTINCT cluster FROM events ORDER BY cluster")
        .refresh(VariableRefresh.OnDashboardLoad),
    )
    .withPanel(
      new StateTimelinePanel()
        .title("State of each node, by keepalived's own word")
        .span(24)
        .height(10)
        .mappings(VRRP_STATES)
        .withTarget(
          sql(
            `SELECT ${TIME} AS time, concat(node, ' ', ${field("instance")}) AS lane, ${field("state")} AS state FROM events FINAL WHERE ${RANGE} AND kind = 'vrrp.state' AND cluster = '\${cluster}' ORDER BY time LIMIT 50000`,
          ),
        )
        .withTransformation({ id: "partitionByValues", options: { fields: ["lane"] } }),
    )
    .withPanel(
      new TimeSeriesPanel()
        .title("Adverts a minute")
        .span(12)
        .height(8)
        .withTarget(
          sql(
            `SELECT toDateTime(minute * 60) AS time, concat(peer, ' at ', node) AS sender, toFloat64(sum(count)) AS adverts FROM adverts_1m FINAL WHERE minute >= intDiv(toInt64(\${__from}), 60000) AND minute <= intDiv(toInt64(\${__to}), 60000) AND cluster = '\${cluster}' GROUP BY time, sender ORDER BY time`,
            0,
          ),
        ),
    )
    .withPanel(
      new TimeSeriesPanel()
        .title("Longest time between two adverts")
        .span(12)
        .height(8)
        .unit("µs")
        .withTarget(
          sql(
            `SELECT toDateTime(minute * 60) AS time, concat(peer, ' at ', node) AS sender, toFloat64(max(maxGapUs)) AS gap FROM adverts_1m FINAL WHERE minute >= intDiv(toInt64(\${__from}), 60000) AND minute <= intDiv(toInt64(\${__to}), 60000) AND cluster = '\${cluster}' GROUP BY time, sender ORDER BY time`,
            0,
          ),
        ),
    )
    .build();

const checks = (): Dashboard =>
  board("checks", "keepwatch / health checks (ClickHouse)")
    .withPanel(
      new StateTimelinePanel()
        .title("Real servers")
        .span(24)
        .height(12)
        .mappings(SERVER_STATES)
        .withTarget(
          sql(
            `SELECT ${TIME} AS time, concat(node, ' ', ${field("virtualServer")}, ' ', ${field("realServer")}) AS lane, toUInt8(kind = 'check.server-up') AS up FROM events FINAL WHERE ${RANGE} AND kind IN ('check.server-up', 'check.server-down') ORDER BY time LIMIT 50000`,
          ),
        )
        .withTransformation({ id: "partitionByValues", options: { fields: ["lane"] } }),
    )
    .build();

const itself = (): Dashboard =>
  board("itself", "keepwatch / itself (ClickHouse)")
    .withPanel(
      new TimeSeriesPanel()
        .title("Events a minute, by source")
        .span(24)
        .height(9)
        .withTarget(
          sql(
            `SELECT toStartOfMinute(${TIME}) AS time, source, toFloat64(uniqExact(id)) AS events FROM events WHERE ${RANGE} GROUP BY time, source ORDER BY time`,
            0,
          ),
        ),
    )
    .withPanel(
      new TablePanel()
        .title("Gaps: what collectors could not see")
        .span(24)
        .height(8)
        .withTarget(
          sql(
            `SELECT ${TIME} AS time, node, ${field("sourceName")} AS source, ${field("reason")} AS reason FROM events FINAL WHERE ${RANGE} AND kind = 'collector.gap' ORDER BY time DESC LIMIT 500`,
          ),
        ),
    )
    .build();
