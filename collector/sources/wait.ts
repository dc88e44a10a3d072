/** Who waits, by the signal that ends it: to listen to a signal, and to stop to, costs more than all that is waited for. */
const waiting = new WeakMap<AbortSignal, Set<() => void>>();

/**
 * Resolves after so many milliseconds, or at once when the signal is raised. What Node has for it makes an error with a stack
 * when that happens, which costs more than all that is waited for.
 */
export function wait(ms: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  const ends = endsOf(signal);
  return new Promise((resolve) => {
    const end = (): void => {
      clearTimeout(timer);
      ends.delete(end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    ends.add(end);
  });
}

function endsOf(signal: AbortSignal): Set<() => void> {
  const known = waiting.get(signal);
  if (known) return known;
  const ends = new Set<() => void>();
  waiting.set(signal, ends);
  signal.addEventListener("abort", () => ends.forEach((end) => end()), { once: true });
  return ends;
}
