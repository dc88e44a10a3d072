import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";

/** A request as its JSON has it, and the same in protobuf. */
export type AnyJson =
  | { stringValue: string }
  | { boolValue: boolean }
  | { intValue: string | number }
  | { doubleValue: number }
  | { bytesValue: string }
  | { arrayValue: { values: AnyJson[] } }
  | { kvlistValue: { values: KeyValueJson[] } };
export interface KeyValueJson {
  key: string;
  value: AnyJson;
}
export interface RecordJson {
  timeUnixNano?: string;
  observedTimeUnixNano?: string;
  severityNumber?: number;
  body?: AnyJson;
  attributes?: KeyValueJson[];
}
export interface RequestJson {
  resourceLogs: {
    resource?: { attributes: KeyValueJson[] };
    scopeLogs: { logRecords: RecordJson[] }[];
  }[];
}

/** Text, a number, bytes, a list or a map as OTLP has them. */
export function any(value: unknown): AnyJson {
  if (typeof value === "string") return { stringValue: value };
  if (typeof value === "number") return { intValue: value };
  if (typeof value === "boolean") return { boolValue: value };
  if (value instanceof Uint8Array) return { bytesValue: Buffer.from(value).toString("base64") };
  if (Array.isArray(value)) return { arrayValue: { values: value.map(any) } };
  return { kvlistValue: { values: entries(value as Record<string, unknown>) } };
}

export const entries = (fields: Record<string, unknown>): KeyValueJson[] =>
  Object.entries(fields).map(([key, value]) => ({ key, value: any(value) }));

export const request = (records: RecordJson[], resource: Record<string, unknown> = {}): RequestJson => ({
  resourceLogs: [{ resource: { attributes: entries(resource) }, scopeLogs: [{ logRecords: records }] }],
});

/** @param resourceLast  the resource behind what is of it, as protobuf allows */
export function protobuf({ resourceLogs }: RequestJson, resourceLast = false): Buffer {
  const writer = new BinaryWriter();
  for (const { resource, scopeLogs } of resourceLogs) {
    writer.tag(1, WireType.LengthDelimited).fork();
    const writeResource = (): void => {
      if (!resource) return;
      writer.tag(1, WireType.LengthDelimited).fork();
      for (const entry of resource.attributes) writeEntry(writer, 1, entry);
      writer.join();
    };
    if (!resourceLast) writeResource();
    for (const { logRecords } of scopeLogs) {
      writer.tag(2, WireType.LengthDelimited).fork();
      for (const record of logRecords) writeRecord(writer, record);
      writer.join();
    }
    if (resourceLast) writeResource();
    writer.join();
  }
  return Buffer.from(writer.finish());
}

function writeRecord(writer: BinaryWriter, record: RecordJson): void {
  writer.tag(2, WireType.LengthDelimited).fork();
  if (record.timeUnixNano !== undefined) writer.tag(1, WireType.Bit64).fixed64(record.timeUnixNano);
  if (record.severityNumber !== undefined) writer.tag(2, WireType.Varint).int32(record.severityNumber);
  if (record.body) writeAny(writer, 5, record.body);
  for (const entry of record.attributes ?? []) writeEntry(writer, 6, entry);
  if (record.observedTimeUnixNano !== undefined) writer.tag(11, WireType.Bit64).fixed64(record.observedTimeUnixNano);
  writer.join();
}

function writeEntry(writer: BinaryWriter, number: number, { key, value }: KeyValueJson): void {
  writer.tag(number, WireType.LengthDelimited).fork().tag(1, WireType.LengthDelimited).string(key);
  writeAny(writer, 2, value);
  writer.join();
}

function writeAny(writer: BinaryWriter, number: number, value: AnyJson): void {
  writer.tag(number, WireType.LengthDelimited).fork();
  if ("stringValue" in value) writer.tag(1, WireType.LengthDelimited).string(value.stringValue);
  if ("boolValue" in value) writer.tag(2, WireType.Varint).bool(value.boolValue);
  if ("intValue" in value) writer.tag(3, WireType.Varint).int64(value.intValue);
  if ("doubleValue" in value) writer.tag(4, WireType.Bit64).double(value.doubleValue);
  if ("bytesValue" in value) writer.tag(7, WireType.LengthDelimited).bytes(Buffer.from(value.bytesValue, "base64"));
  if ("arrayValue" in value) {
    writer.tag(5, WireType.LengthDelimited).fork();
    for (const item of value.arrayValue.values) writeAny(writer, 1, item);
    writer.join();
  }
  if ("kvlistValue" in value) {
    writer.tag(6, WireType.LengthDelimited).fork();
    for (const item of value.kvlistValue.values) writeEntry(writer, 1, item);
    writer.join();
  }
  writer.join();
}
