// What has to be there before any of our compiled code can run: plain JavaScript, Node's own modules only.
import { createHash } from "node:crypto";
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { join } from "node:path";

export const root = fileURLToPath(new URL("..", import.meta.url));
const NODE_MIN = [20, 19];

/** Runs a command and ends this process with its status when it fails. */
export function must(command, args, what) {
  const { status, error } = spawnSync(command, args, { cwd: root, stdio: "inherit" });
  if (status === 0) return;
  process.stderr.write(`${what} failed${error ? `: ${error.message}` : ""}. The lines above say why.\n`);
  process.exit(status || 1);
}

export function checkNode() {
  const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
  if (major > NODE_MIN[0] || (major === NODE_MIN[0] && minor >= NODE_MIN[1])) return;
  process.stderr.write(`keepwatch needs Node ${NODE_MIN.join(".")} or newer; this is ${process.versions.node}.\n`);
  process.exit(1);
}

/** Installs the packages when there are none, or others than the lock file names. */
export function installPackages() {
  const stamp = join(root, "node_modules", ".keepwatch-lock");
  const lock = createHash("sha256")
    .update(readFileSync(join(root, "package-lock.json")))
    .digest("hex");
  if (existsSync(stamp) && readFileSync(stamp, "utf8") === lock) return;
  process.stderr.write("installing packages …\n");
  // No package of ours needs an install script. `npm ci` refuses a lock file without the other platforms' sub-packages.
  must("npm", ["install", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"], "npm install");
  writeFileSync(
    stamp,
    createHash("sha256")
      .update(readFileSync(join(root, "package-lock.json")))
      .digest("hex"),
  );
}

/** Compiles what is newer than its compiled form; the server and the page each by themselves. */
export function build() {
  const shared = ["collector", "server", "package.json", "tsconfig.json"];
  if (isStale("dist/server/main.js", [...shared, "test/bench", "tsconfig.build.json"])) {
    process.stderr.write("building …\n");
    must("npm", ["run", "--silent", "build:node"], "the build");
  }
  if (isStale("dist/web/index.html", [...shared, "web"]))
    must("npm", ["run", "--silent", "build:web"], "the build of the page");
}

function isStale(built, sources) {
  const at = newest(join(root, built));
  return sources.some((source) => newest(join(root, source)) > at);
}

/** Newest modification time below a path, 0 when it is not there. */
function newest(path) {
  if (!existsSync(path)) return 0;
  const stat = statSync(path);
  if (!stat.isDirectory()) return stat.mtimeMs;
  return readdirSync(path).reduce((latest, name) => Math.max(latest, newest(join(path, name))), 0);
}
