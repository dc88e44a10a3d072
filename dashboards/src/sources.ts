import type { Builder, Dataquery } from "@grafana/grafana-foundation-sdk/cog";
import { DatasourceVariableBuilder, type VariableModel } from "@grafana/grafana-foundation-sdk/dashboard";
import { DataqueryBuilder, PromQueryFormat } from "@grafana/grafana-foundation-sdk/prometheus";

/** The data source that the dashboard's variable names. */
export const PROMETHEUS = { type: "prometheus", uid: "${datasource}" } as const;
export const CLICKHOUSE = { type: "grafana-clickhouse-datasource", uid: "${datasource}" } as const;

export const chosenSource = (type: string): Builder<VariableModel> =>
  new DatasourceVariableBuilder("datasource").label("Data source").type(type);

export const series = (expr: string, legend: string): Builder<Dataquery> =>
  new DataqueryBuilder().expr(expr).legendFormat(legend).range().datasource(PROMETHEUS);

/** With a mark for each incident of which the samples tell; the data source makes a link of it. */
export const withIncidents = (expr: string, legend: string): Builder<Dataquery> =>
  new DataqueryBuilder().expr(expr).legendFormat(legend).range().exemplar(true).datasource(PROMETHEUS);

/** One row a series, as it is now. */
export const now = (expr: string): Builder<Dataquery> =>
  new DataqueryBuilder().expr(expr).format(PromQueryFormat.Table).instant().datasource(PROMETHEUS);

/** The SDK has no builder for ClickHouse's data source. 0: time series, 1: table, as it numbers them. */
export function sql(rawSql: string, format: 0 | 1 = 1): Builder<Dataquery> {
  const query = {
    refId: "A",
    datasource: CLICKHOUSE,
    editorType: "sql",
    queryType: format === 0 ? "timeseries" : "table",
    format,
    rawSql,
    _implementsDataqueryVariant: () => undefined,
  };
  return { build: () => query };
}
