import type { SourceLocation } from "../core/errors.ts";
import type { EventBody } from "../events/event.ts";
import { codeOf, severityOf } from "./codes/registry.ts";
import type { ConfFault } from "./parser.ts";
import type { Release } from "./version.ts";

/** Collects what is wrong, each with its place and what to do. */
export class Diagnostics {
  private readonly found: EventBody<"config.diagnostic">[] = [];

  private readonly release: Release;

  constructor(faults: readonly ConfFault[], release: Release) {
    this.release = release;
    for (const { code, at, message, fix } of faults) this.add(code, at, message, fix);
  }

  /**
   * @param fix  what to do here, when the code's own advice can be said more exactly
   * @throws Error when the code has no row in codes/
   */
  add(code: string, at: SourceLocation, message: string, fix: string = codeOf(code).fix, instance?: string): void {
    this.found.push({
      kind: "config.diagnostic",
      code,
      severity: severityOf(code, this.release),
      message: message.slice(0, 1024),
      line: at.line,
      column: at.column,
      fix: fix.slice(0, 1024),
      ...(at.file === "" ? {} : { file: at.file.slice(0, 4096) }),
      ...(instance === undefined ? {} : { instance: instance.slice(0, 255) }),
    });
  }

  list(): readonly EventBody<"config.diagnostic">[] {
    return this.found;
  }
}
