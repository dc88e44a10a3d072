import type { FastifyInstance } from "fastify";
import { messageOf } from "../../collector/core/errors.ts";
import type { Log } from "../../collector/core/log.ts";
import { StoreRefusal } from "../store/store.ts";
import type { Problem } from "./types.ts";

const TITLES: Readonly<Record<number, string>> = {
  400: "Bad request",
  401: "Not authorised",
  403: "Not allowed",
  404: "Not found",
  413: "Too large",
  415: "Unsupported",
  429: "Too many requests",
  500: "Internal error",
  503: "Not available",
};

/** An answer that is no success, as RFC 9457 wants it. */
export class ProblemError extends Error {
  override readonly name = "ProblemError";
  readonly statusCode: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly faults: Problem["faults"];

  constructor(
    statusCode: number,
    detail: string,
    options: { headers?: Readonly<Record<string, string>>; faults?: NonNullable<Problem["faults"]> } = {},
  ) {
    super(detail);
    this.statusCode = statusCode;
    this.headers = options.headers ?? {};
    this.faults = options.faults;
  }
}

/** Every error leaves as a problem document, and never with a stack. */
export function problemDocuments(app: FastifyInstance, log: Log): void {
  app.setErrorHandler((error, request, reply) => {
    const status = statusOf(error);
    const isOurs = error instanceof ProblemError || error instanceof StoreRefusal;
    if (status >= 500 && !isOurs)
      log("error", "a request failed", { path: request.url.split("?")[0], why: messageOf(error) });
    const detail = status >= 500 && !isOurs ? "the server could not answer; its log says why" : messageOf(error);
    const problem: Problem = {
      type: "about:blank",
      title: TITLES[status] ?? "Error",
      status,
      detail,
      ...(error instanceof ProblemError && error.faults ? { faults: error.faults } : {}),
    };
    void reply
      .code(status)
      .headers(error instanceof ProblemError ? error.headers : {})
      .type("application/problem+json")
      .send(problem);
  });
  app.setNotFoundHandler((request, reply) => {
    const problem: Problem = {
      type: "about:blank",
      title: "Not found",
      status: 404,
      detail: `there is nothing at ${request.method} ${request.url.split("?")[0]}`,
    };
    void reply.code(404).type("application/problem+json").send(problem);
  });
}

function statusOf(error: unknown): number {
  if (error instanceof StoreRefusal) return 503;
  const status = typeof error === "object" && error !== null && "statusCode" in error ? error.statusCode : undefined;
  return typeof status === "number" && status >= 400 && status <= 599 ? status : 500;
}
