import { Tail } from "tail";

/**
 * The `tail` package as an alarm clock: it watches the file by the operating system's own means, and says when
 * something happened. It reads nothing: what it would deliver after a rename comes by name, from the wrong file.
 */
class WakeTail extends Tail {
  private readonly onWake: () => void;

  constructor(path: string, onWake: () => void) {
    super(path, { follow: false });
    this.onWake = onWake;
  }

  /** Called by `Tail` for every event of the watched file, in place of its own reading. */
  watchEvent(): void {
    this.onWake();
  }
}

/** Wakes at every change of the file that now has this path. @returns how to stop; undefined when it cannot be watched: polling goes on. */
export function wakeOnChange(path: string, onWake: () => void): (() => void) | undefined {
  try {
    const tail = new WakeTail(path, onWake);
    tail.on("error", () => undefined);
    return () => tail.unwatch();
  } catch {
    return undefined;
  }
}
