/** Questions to begin with, by the name of their words. Each runs as it is. */
export const SQL_EXAMPLES = {
  kinds: `SELECT kind, count() AS events, max(fromUnixTimestamp64Micro(ts, 'UTC')) AS newest
FROM events FINAL
GROUP BY kind
ORDER BY events DESC`,
  states: `SELECT fromUnixTimestamp64Micro(ts, 'UTC') AS at, node,
  JSONExtractString(event, 'instance') AS instance,
  JSONExtractString(event, 'state') AS state
FROM events FINAL
WHERE kind = 'vrrp.state'
ORDER BY ts DESC
LIMIT 100`,
  adverts: `SELECT node, peer, vrid, count() AS adverts, min(priority) AS lowest, max(priority) AS highest
FROM adverts FINAL
WHERE ts > toUnixTimestamp64Micro(now64(6) - INTERVAL 1 DAY)
GROUP BY node, peer, vrid
ORDER BY adverts DESC`,
  incidents: `SELECT kind, count() AS incidents, max(fromUnixTimestamp64Micro(startTs, 'UTC')) AS newest
FROM incidents FINAL
GROUP BY kind
ORDER BY incidents DESC`,
  columns: `SELECT table, name, type
FROM system.columns
WHERE database = currentDatabase()
  AND table IN ('events', 'adverts', 'incidents', 'deliveries')
ORDER BY table, position`,
} as const;

export type SqlExample = keyof typeof SQL_EXAMPLES;
