import {
  AnnotationQueryBuilder,
  type Dashboard,
  DashboardBuilder,
  QueryVariableBuilder,
  VariableRefresh,
} from "@grafana/grafana-foundation-sdk/dashboard";
import { PanelBuilder as StatPanel } from "@grafana/grafana-foundation-sdk/stat";
import { PanelBuilder as StateTimelinePanel } from "@grafana/grafana-foundation-sdk/statetimeline";
import { PanelBuilder as TablePanel } from "@grafana/grafana-foundation-sdk/table";
import { PanelBuilder as TimeSeriesPanel } from "@grafana/grafana-foundation-sdk/timeseries";
import { chosenSource, now, PROMETHEUS, series, withIncidents } from "./sources.ts";
import { SERVER_STATES, VRRP_STATES } from "./states.ts";

/** Over what keepwatch's server says at /metrics. */
export const prometheusDashboards = (): Readonly<Record<string, Dashboard>> => ({
  "prometheus-fleet": fleet(),
  "prometheus-router": router(),
  "prometheus-checks": checks(),
  "prometheus-keepwatch": itself(),
});

const board = (uid: string, title: string): DashboardBuilder =>
  new DashboardBuilder(title)
    .uid(`keepwatch-prometheus-${uid}`)
    .tags(["keepwatch", "keepalived"])
    .time({ from: "now-6h", to: "now" })
    .refresh("10s")
    .withVariable(chosenSource("prometheus"))
    .annotation(
      new AnnotationQueryBuilder()
        .name("Incidents")
        .datasource(PROMETHEUS)
        .enable(true)
        .iconColor("red")
        .expr("sum by (kind, certainty) (keepwatch_incidents_open) > 0")
        .titleFormat("{{kind}} ({{certainty}})"),
    );

const cluster = (): QueryVariableBuilder => choice("cluster", "label_values(keepwatch_router_masters, cluster)");
const choice = (name: string, query: string): QueryVariableBuilder =>
  new QueryVariableBuilder(name)
    .datasource(PROMETHEUS)
    .query(query)
    .refresh(VariableRefresh.OnTimeRangeChanged)
    .multi(true)
    .includeAll(true)
    .allValue(".+");

const fleet = (): Dashboard =>
  board("fleet", "keepwatch / fleet (Prometheus)")
    .withVariable(cluster())
    .withPanel(
      new StatPanel()
        .title("Open incidents")
        .span(24)
        .height(5)
        .withTarget(series("sum by (kind) (keepwatch_incidents_open) > 0", "{{kind}}"))
        .noValue("none"),
    )
    .withPanel(
      new StateTimelinePanel()
        .title("Masters of each virtual router: 1 is right")
        .span(24)
        .height(9)
        .withTarget(series('keepwatch_router_masters{cluster=~"$cluster"}', "{{router}}")),
    )
    .withPanel(
      new TablePanel()
        .title("Routers without exactly one master")
        .span(12)
        .height(8)
        .withTarget(now('keepwatch_router_masters{cluster=~"$cluster"} != 1')),
    )
    .withPanel(
      new TimeSeriesPanel()
        .title("Open incidents over time")
        .span(12)
        .height(8)
        .withTarget(series("sum by (kind) (keepwatch_incidents_open)", "{{kind}}")),
    )
    .withPanel(
      new TimeSeriesPanel()
        .title("Incidents that opened, with a mark each")
        .span(24)
        .height(8)
        .withTarget(
          withIncidents(
            "sum by (kind, severity) (increase(keepwatch_incidents_total[$__rate_interval]))",
            "{{kind}}, {{severity}}",
          ),
        ),
    )
    .build();

const router = (): Dashboard =>
  board("router", "keepwatch / virtual router (Prometheus)")
    .withVariable(cluster())
    .withVariable(choice("router", 'label_values(keepwatch_router_masters{cluster=~"$cluster"}, router)'))
    .withPanel(
      new StateTimelinePanel()
        .title("State of each node, by keepalived's own word")
        .span(24)
        .height(10)
        .mappings(VRRP_STATES)
        .withTarget(
          series(
            'max by (node, iname) (keepalived_vrrp_state{cluster=~"$cluster", router=~"$router"})',
            "{{node}} {{iname}}",
          ),
        ),
    )
    .withPanel(
      new TimeSeriesPanel()
        .title("Masters")
        .span(24)
        .height(8)
        .withTarget(series('keepwatch_router_masters{cluster=~"$cluster", router=~"$router"}', "{{router}}")),
    )
    .build();

const checks = (): Dashboard =>
  board("checks", "keepwatch / health checks (Prometheus)")
    .withPanel(
      new StateTimelinePanel()
        .title("Real servers")
        .span(24)
        .height(12)
        .mappings(SERVER_STATES)
        .withTarget(
          series("keepwatch_real_server_up", "{{virtual_server}} {{real_server}}, says {{source}} of {{node}}"),
        ),
    )
    .withPanel(
      new StatPanel()
        .title("Services down, quorums lost")
        .span(24)
        .height(5)
        .withTarget(series('sum by (kind) (keepwatch_incidents_open{kind=~"service-down|quorum-lost"})', "{{kind}}")),
    )
    .build();

const itself = (): Dashboard =>
  board("itself", "keepwatch / itself (Prometheus)")
    .withPanel(rate("Events stored", "rate(keepwatch_ingest_events_total[$__rate_interval])", "events"))
    .withPanel(
      rate("Batches", "sum by (result) (rate(keepwatch_ingest_batches_total[$__rate_interval]))", "{{result}}"),
    )
    .withPanel(
      rate("Batches refused", "sum by (reason) (rate(keepwatch_ingest_refused_total[$__rate_interval]))", "{{reason}}"),
    )
    .withPanel(rate("Alerts", "sum by (outcome) (rate(keepwatch_deliveries_total[$__rate_interval]))", "{{outcome}}"))
    .withPanel(waited("From an incident's beginning until people are told", "keepwatch_notification_delay_seconds"))
    .withPanel(waited("From an alert's recording until it is delivered", "keepwatch_notification_delivery_seconds"))
    .withPanel(
      rate(
        "Store errors",
        "sum by (operation) (rate(keepwatch_store_errors_total[$__rate_interval]))",
        "{{operation}}",
      ),
    )
    .withPanel(
      new StatPanel()
        .title("Seconds since the server found itself well")
        .span(12)
        .height(8)
        .unit("s")
        .withTarget(series("time() - keepwatch_heartbeat_timestamp_seconds", "server")),
    )
    .build();

const rate = (title: string, expr: string, legend: string): TimeSeriesPanel =>
  new TimeSeriesPanel().title(title).span(12).height(8).withTarget(series(expr, legend));

/** How long nine in ten took at most. */
const waited = (title: string, histogram: string): TimeSeriesPanel =>
  new TimeSeriesPanel()
    .title(title)
    .span(12)
    .height(8)
    .unit("s")
    .withTarget(
      withIncidents(
        `histogram_quantile(0.9, sum by (le, receiver) (rate(${histogram}_bucket[$__rate_interval])))`,
        "{{receiver}}, 9 in 10",
      ),
    );
