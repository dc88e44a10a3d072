import { fileURLToPath } from "node:url";

/** The built web timeline: `dist/web` beside the compiled server. */
export function webRoot(): string {
  return fileURLToPath(new URL("../../web", import.meta.url));
}

/** The bundled recording, in the source tree and in the package alike. */
export function demoRecording(): string {
  return fileURLToPath(new URL("../../../server/demo/recording", import.meta.url));
}

/** Resolves at the first SIGTERM or SIGINT; a second one ends the process at once. */
export function untilSignal(): Promise<void> {
  return new Promise((resolve) => {
    const onSignal = (): void => {
      process.once("SIGINT", () => process.exit(130)).once("SIGTERM", () => process.exit(143));
      resolve();
    };
    process.once("SIGINT", onSignal).once("SIGTERM", onSignal);
  });
}
