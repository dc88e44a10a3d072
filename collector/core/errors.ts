/**
 * A fault the operator can do something about. Printed as one line, never as a stack trace.
 * The codes are stable and few, so that they can label a metric; each says what is wrong and what to do.
 */
export class OperatorError extends Error {
  override readonly name = "OperatorError";
  readonly code: string;
  /** What the operator can do about it, one sentence. */
  readonly remedy: string | undefined;

  constructor(code: string, message: string, options: { remedy?: string; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.remedy = options.remedy;
  }

  /** `message. remedy [CODE]` on one line. */
  toLine(): string {
    return `${this.message}${this.remedy ? `. ${this.remedy}` : ""} [${this.code}]`;
  }
}

/** A place in a text file; line and column count from 1. */
export interface SourceLocation {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

/** The text of anything thrown, without its stack. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
