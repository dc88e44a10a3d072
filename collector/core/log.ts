/** Our own log: sentences with fields. `error` means that data was lost or that someone must act. */
export type LogLevel = "info" | "warn" | "error";
export type LogFields = Readonly<Record<string, string | number | boolean | undefined>>;
export type Log = (level: LogLevel, message: string, fields?: LogFields) => void;

/** Writes one line an entry to stderr: `warn: the server does not answer url=http://…`. */
export function createLog(write: (line: string) => void = (line) => void process.stderr.write(line)): Log {
  return (level, message, fields = {}) => {
    const shown = Object.entries(fields)
      .filter(([, value]) => value !== undefined)
      .map(
        ([name, value]) =>
          ` ${name}=${typeof value === "string" && /[\s"=]/.test(value) ? JSON.stringify(value) : String(value)}`,
      );
    write(`${level}: ${message}${shown.join("")}\n`);
  };
}
