/** At most so many at a time, in order. @param most  asked whenever one could begin */
export function limited(most: () => number): <T>(task: () => Promise<T>) => Promise<T> {
  let running = 0;
  const waiting: (() => void)[] = [];
  const next = (): void => {
    while (waiting.length > 0 && running < Math.max(1, most())) {
      running += 1;
      waiting.shift()?.();
    }
  };
  return async (task) => {
    await new Promise<void>((resolve) => {
      waiting.push(resolve);
      next();
    });
    try {
      return await task();
    } finally {
      running -= 1;
      next();
    }
  };
}
