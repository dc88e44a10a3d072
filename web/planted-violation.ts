import { openStore } from "../server/store/clickhouse-store.ts";
export const x = openStore;
