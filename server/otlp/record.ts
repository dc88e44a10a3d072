/** What a log record carries, whichever encoding it came in. */
export type Value = string | number | bigint | boolean | Uint8Array | readonly Value[] | Fields | undefined;
export type Fields = ReadonlyMap<string, Value>;

export interface LogRecord {
  /** When it happened, nanoseconds since 1970; 0 when that is not known. */
  readonly timeNs: bigint;
  /** When the forwarder saw it; 0 when that is not known. */
  readonly observedNs: bigint;
  readonly body: Value;
  readonly attributes: Fields;
}

/** Hears of each record of a request, in order. @param resource  attributes of what the record is from */
export type Visit = (record: LogRecord, resource: Fields) => void;

export const NO_FIELDS: Fields = new Map();

/** Most records of one request. The OpenTelemetry Collector sends 8,192 at a time. */
export const RECORDS_MAX = 65_536;
/** Most messages within messages of one request: some 15 attributes for each of the most records, and a second's work. */
const MESSAGES_MAX = 2_000_000;
/** Values that are nested deeper are passed over: what is looked for lies at 2 at most. */
export const DEPTH_MAX = 16;
/** Of a list or a map that has more, the rest is passed over. An entry of the journal has some 50. */
export const ENTRIES_MAX = 1_024;

/** A request that cannot be read, or must not be. */
export class RequestFault extends Error {
  override readonly name = "RequestFault";
  readonly reason: "malformed" | "too-large";

  constructor(reason: "malformed" | "too-large", message: string) {
    super(message);
    this.reason = reason;
  }
}

/** What one request may still cost. */
export class Budget {
  private records = 0;
  private messages = 0;

  record(): void {
    if (++this.records > RECORDS_MAX)
      throw new RequestFault("too-large", `the request has more than ${RECORDS_MAX} records: send smaller batches`);
  }

  message(): void {
    if (++this.messages > MESSAGES_MAX)
      throw new RequestFault("too-large", `the request has more than ${MESSAGES_MAX} values: send smaller batches`);
  }
}
