import { type TSchema, Type } from "typebox";

/** The bodies of OTLP's requests and answers for the description; what is in them, opentelemetry-proto says. */
const either = (description: string, json: TSchema) => ({
  description,
  content: {
    "application/json": { schema: json },
    "application/x-protobuf": { schema: Type.Unsafe<unknown>({ type: "string", format: "binary" }) },
  },
});

export const OtlpBody = either(
  "ExportLogsServiceRequest, plain or gzip",
  Type.Object({ resourceLogs: Type.Optional(Type.Array(Type.Object({}))) }),
);

export const OtlpAnswers = {
  200: either(
    "ExportLogsServiceResponse: all is stored but what partialSuccess names",
    Type.Object({
      partialSuccess: Type.Optional(Type.Object({ rejectedLogRecords: Type.String(), errorMessage: Type.String() })),
    }),
  ),
  default: either(
    "google.rpc.Status, in the encoding of the request",
    Type.Object({ code: Type.Integer(), message: Type.String() }),
  ),
};
