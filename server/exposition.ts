import { openMetricsContentType, type OpenMetricsContentType, Registry } from "prom-client";

/** The library refuses exemplars anywhere else. */
export type OpenRegistry = Registry<OpenMetricsContentType>;

export function createOpenRegistry(): OpenRegistry {
  const register = new Registry<OpenMetricsContentType>();
  register.setContentType(openMetricsContentType);
  return register;
}

/** What a scraper is answered in. */
export interface Exposition {
  readonly contentType: string;
  readonly print: () => Promise<string>;
}

/** The metrics of a registry, in Prometheus' text format, or in OpenMetrics where a scraper asks for it: exemplars are only in that. */
export function createExposition(register: OpenRegistry): (accept: string | undefined) => Exposition {
  const text = new Registry();
  const open = createOpenRegistry();
  for (const { name } of register.getMetricsAsArray()) {
    const metric = register.getSingleMetric(name);
    if (metric === undefined) continue;
    text.registerMetric(metric);
    // The library takes the `_total` off a counter's name for good when it prints it so: an heir has a name of its own.
    open.registerMetric(Object.create(metric) as typeof metric);
  }
  return (accept = "") => {
    const chosen = prefersOpenMetrics(accept) ? open : text;
    return { contentType: chosen.contentType, print: () => chosen.metrics() };
  };
}

const OPEN_METRICS = "application/openmetrics-text";
/** What is printed is of this version; Prometheus asks for older ones, too. */
const VERSION = "1.0.0";

/** RFC 9110, section 12.5.1. What fits anything is no wish for it: who does not ask for OpenMetrics by its name gets text. */
function prefersOpenMetrics(accept: string): boolean {
  const asked = accept.split(",").map((range) => {
    const [type = "", ...parameters] = range.split(";").map((part) => part.trim().toLowerCase());
    const valueOf = (name: string): string | undefined =>
      parameters.find((parameter) => parameter.startsWith(`${name}=`))?.slice(name.length + 1);
    return { type, version: valueOf("version")?.replaceAll('"', ""), quality: Number(valueOf("q") ?? 1) };
  });
  const best = (fits: (range: (typeof asked)[number]) => boolean): number =>
    Math.max(0, ...asked.filter(fits).map(({ quality }) => (Number.isNaN(quality) ? 0 : quality)));
  const open = best(({ type, version = VERSION }) => type === OPEN_METRICS && version === VERSION);
  return open > 0 && open >= best(({ type }) => type === "text/plain");
}
