/** `node store-process.js FOLDER PORT`: an external ClickHouse as far as one can be had here, in a process that can be killed. */
import { clickHouseFront } from "../server/store/clickhouse-front.ts";

const [dir = "", port = ""] = process.argv.slice(2);
const { url } = await clickHouseFront(dir, undefined, Number(port));
process.stdout.write(`listening at ${url}\n`);
