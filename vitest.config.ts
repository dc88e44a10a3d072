import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    // Patterns are relative to the folder, which `npm run differential` narrows.
    dir: "test",
    include: ["**/*.test.ts", "**/*.test.tsx"],
    reporters: ["default", "./test/support/count-reporter.ts"],
    pool: "forks",
    // Two cores: files that start daemons or browsers must not starve each other into timeouts.
    maxWorkers: 2,
    // Some ask a real program a hundred times.
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
});
