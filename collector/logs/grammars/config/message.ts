import type { DiagnosticSeverity } from "../../../events/event.ts";
import type { TableRow } from "../rows.ts";

/**
 * What keepalived says about a configuration it does not like, in every wording from 1.2.2 to 2.4.3, after its prefixes.
 * The code is shared with the configuration checker where it knows the fault too. Severity is what the daemon does about it, not
 * its syslog level: nearly all of these are logged at INFO.
 */
export interface ConfigMessage extends TableRow {
  readonly severity: DiagnosticSeverity;
}
