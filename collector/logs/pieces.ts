import { takeContainer } from "./container.ts";
import { LINE_MAX_CHARS } from "./layout.ts";
import { isConsole } from "./syslog.ts";
import { cut } from "./text.ts";

const STREAMS: readonly string[] = ["stdout", "stderr"];

/** Puts lines together that a container's runtime keeps in pieces. */
export class Pieces {
  private readonly abandoned: () => void;
  /** What has come so far, by stream. */
  private readonly begun = new Map<string, { readonly stamp: string; readonly text: string }>();

  /** @param abandoned  told of each line whose last piece never came, as another begins */
  constructor(abandoned: () => void) {
    this.abandoned = abandoned;
  }

  get areAwaited(): boolean {
    return this.begun.size > 0;
  }

  /** @returns the line that is whole with this one; undefined while there are more pieces to come */
  whole(line: string): string | undefined {
    const piece = takeContainer(line);
    if (!piece || !STREAMS.includes(piece.stream)) return line;
    if (isConsole(piece.text) && this.begun.delete(piece.stream)) this.abandoned();
    const begun = this.begun.get(piece.stream);
    if (!begun && !piece.partial) return line;
    const stamp = begun?.stamp ?? piece.stamp ?? "";
    const text = cut((begun?.text ?? "") + piece.text, LINE_MAX_CHARS);
    if (piece.partial) {
      this.begun.set(piece.stream, { stamp, text });
      return undefined;
    }
    this.begun.delete(piece.stream);
    return `${stamp} ${piece.stream} F ${text}`;
  }
}
