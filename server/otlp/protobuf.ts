import { BinaryReader, BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { messageOf } from "../../collector/core/errors.ts";
import {
  type Budget,
  DEPTH_MAX,
  ENTRIES_MAX,
  type Fields,
  type LogRecord,
  NO_FIELDS,
  RequestFault,
  type Value,
  type Visit,
} from "./record.ts";

/**
 * OTLP's messages in protobuf. The numbers are those of opentelemetry/proto/collector/logs/v1/logs_service.proto, logs/v1/logs.proto
 * and common/v1/common.proto. Records are read one by one, and nothing of the others is kept: what a request costs is its own size.
 */

/** What is done with a field; one with another wire type is a stranger's, and passed over as protobuf has it. */
type Message = Readonly<Record<number, readonly [WireType, (reader: BinaryReader) => void]>>;

/** @throws RequestFault */
export function readProtobuf(body: Uint8Array, budget: Budget, visit: Visit): void {
  try {
    walk(body, budget, { 1: [WireType.LengthDelimited, (reader) => readResourceLogs(reader.bytes(), budget, visit)] });
  } catch (error) {
    if (error instanceof RequestFault) throw error;
    throw new RequestFault("malformed", `the body is not an ExportLogsServiceRequest in protobuf: ${messageOf(error)}`);
  }
}

function walk(bytes: Uint8Array, budget: Budget, message: Message): void {
  budget.message();
  const reader = new BinaryReader(bytes);
  while (reader.pos < reader.len) {
    const [number, type] = reader.tag();
    const field = message[number];
    if (field?.[0] === type) field[1](reader);
    else reader.skip(type, number);
  }
}

/** Twice: the resource may stand behind what is of it. */
function readResourceLogs(bytes: Uint8Array, budget: Budget, visit: Visit): void {
  let resource: Fields = NO_FIELDS;
  walk(bytes, budget, {
    1: [WireType.LengthDelimited, (reader) => (resource = fieldsOf(reader.bytes(), budget, 1, DEPTH_MAX))],
  });
  const readRecord = (reader: BinaryReader): void => {
    budget.record();
    visit(recordOf(reader.bytes(), budget), resource);
  };
  const readScopeLogs = (reader: BinaryReader): void =>
    walk(reader.bytes(), budget, { 2: [WireType.LengthDelimited, readRecord] });
  walk(bytes, budget, { 2: [WireType.LengthDelimited, readScopeLogs] });
}

function recordOf(bytes: Uint8Array, budget: Budget): LogRecord {
  let timeNs = 0n;
  let observedNs = 0n;
  let body: Value;
  const attributes = new Map<string, Value>();
  walk(bytes, budget, {
    1: [WireType.Bit64, (reader) => (timeNs = BigInt(reader.fixed64()))],
    5: [WireType.LengthDelimited, (reader) => (body = valueOf(reader.bytes(), budget, DEPTH_MAX))],
    6: [WireType.LengthDelimited, (reader) => addEntry(attributes, reader.bytes(), budget, DEPTH_MAX)],
    11: [WireType.Bit64, (reader) => (observedNs = BigInt(reader.fixed64()))],
  });
  return { timeNs, observedNs, body, attributes };
}

/** @param number  of the field that repeats KeyValue */
function fieldsOf(bytes: Uint8Array, budget: Budget, number: number, depth: number): Fields {
  const fields = new Map<string, Value>();
  walk(bytes, budget, {
    [number]: [WireType.LengthDelimited, (reader) => addEntry(fields, reader.bytes(), budget, depth)],
  });
  return fields;
}

function addEntry(fields: Map<string, Value>, bytes: Uint8Array, budget: Budget, depth: number): void {
  if (fields.size >= ENTRIES_MAX) return;
  let key = "";
  let value: Value;
  walk(bytes, budget, {
    1: [WireType.LengthDelimited, (reader) => (key = textOf(reader.bytes()))],
    2: [WireType.LengthDelimited, (reader) => (value = valueOf(reader.bytes(), budget, depth))],
  });
  fields.set(key, value);
}

/** AnyValue: of several the last one holds, as protobuf has it. */
function valueOf(bytes: Uint8Array, budget: Budget, depth: number): Value {
  if (depth === 0) return undefined;
  let value: Value;
  walk(bytes, budget, {
    1: [WireType.LengthDelimited, (reader) => (value = textOf(reader.bytes()))],
    2: [WireType.Varint, (reader) => (value = reader.bool())],
    3: [WireType.Varint, (reader) => (value = BigInt(reader.int64()))],
    4: [WireType.Bit64, (reader) => (value = reader.double())],
    5: [WireType.LengthDelimited, (reader) => (value = listOf(reader.bytes(), budget, depth - 1))],
    6: [WireType.LengthDelimited, (reader) => (value = fieldsOf(reader.bytes(), budget, 1, depth - 1))],
    7: [WireType.LengthDelimited, (reader) => (value = reader.bytes())],
  });
  return value;
}

function listOf(bytes: Uint8Array, budget: Budget, depth: number): readonly Value[] {
  const values: Value[] = [];
  const add = (reader: BinaryReader): void => {
    const value = reader.bytes();
    if (values.length < ENTRIES_MAX) values.push(valueOf(value, budget, depth));
  };
  walk(bytes, budget, { 1: [WireType.LengthDelimited, add] });
  return values;
}

/** Some forward bytes as text that are none in UTF-8: a log line is not refused for it. */
const decoder = new TextDecoder("utf-8");
const textOf = (bytes: Uint8Array): string => decoder.decode(bytes);

/** ExportLogsServiceResponse. */
export function responseProtobuf(partial: { readonly rejected: number; readonly message: string } | undefined): Buffer {
  const writer = new BinaryWriter();
  if (partial) {
    writer.tag(1, WireType.LengthDelimited).fork();
    if (partial.rejected > 0) writer.tag(1, WireType.Varint).int64(partial.rejected);
    writer.tag(2, WireType.LengthDelimited).string(partial.message).join();
  }
  return Buffer.from(writer.finish());
}

/** google.rpc.Status. */
export function statusProtobuf({ code, message }: { readonly code: number; readonly message: string }): Buffer {
  const writer = new BinaryWriter();
  writer.tag(1, WireType.Varint).int32(code).tag(2, WireType.LengthDelimited).string(message);
  return Buffer.from(writer.finish());
}
