// `npm start`: install, build, run server and collector in one. What follows `--` goes to `keepwatch up`.
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { build, checkNode, installPackages, root } from "./bootstrap.mjs";

checkNode();
installPackages();
build();
const main = join(root, "dist/server/main.js");
process.argv = [process.argv[0], main, "up", ...process.argv.slice(2)];
await import(pathToFileURL(main).href);
