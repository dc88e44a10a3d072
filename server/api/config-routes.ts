import { createHash } from "node:crypto";
import type { FastifyInstance } from "fastify";
import type { Static } from "typebox";
import { type Event, type EventKind, type EventOf, isKind } from "../../collector/events/event.ts";
import { compareConfigs, type MemberConfig } from "../detect/compare-configs.ts";
import type { DetectionEngine } from "../detect/engine.ts";
import type { Store } from "../store/store.ts";
import { ProblemError } from "./problems.ts";
import { Answers, ComparisonQuery, ConfigQuery } from "./schemas.ts";
import type { ConfigComparison, NodeConfig } from "./types.ts";

export interface ConfigDeps {
  readonly store: Store;
  readonly engine: Pick<DetectionEngine, "routers" | "nodes">;
}

/** As many texts as a collector tells of one configuration. */
const TEXTS_MAX = 64;
const FINDINGS_MAX = 1_000;

interface Whose {
  readonly cluster: string;
  readonly node: string;
}

/** What the nodes' configurations are, as their collectors tell, and how those of a virtual router differ. */
export function configRoutes(app: FastifyInstance, { store, engine }: ConfigDeps): void {
  const newest = async ({ cluster, node }: Whose, ...kinds: EventKind[]): Promise<Event | undefined> =>
    (await store.events({ cluster, node, kinds, newestFirst: {}, limit: 1 }))[0];

  app.get<{ Querystring: Static<typeof ConfigQuery> }>(
    "/api/v1/configs",
    {
      schema: {
        summary:
          "A node's configuration: how keepalived comes to read it, its files without secrets, and what is wrong",
        querystring: ConfigQuery,
        response: Answers.config,
      },
    },
    async ({ query, headers }, reply): Promise<NodeConfig | undefined> => {
      const whose = { cluster: query.cluster, node: query.node };
      if (!engine.nodes().some(({ cluster, node }) => cluster === whose.cluster && node === whose.node))
        throw new ProblemError(404, `no node of ${whose.cluster} is called ${whose.node}`);
      const [look, chain] = await Promise.all([
        newest(whose, "config.loaded", "config.unreadable"),
        newest(whose, "config.chain"),
      ]);
      if (!look)
        return { ...whose, ts: null, unreadable: null, chain: null, files: [], findings: [], areAllFindings: true };
      const files = isKind(look, "config.loaded") ? look.files : [];
      const [texts, findings] = await Promise.all([
        // The texts of one look are told together, so the newest ones are those of the newest files.
        store.events({
          ...whose,
          kinds: ["config.text"],
          to: look.ts,
          newestFirst: {},
          limit: Math.min(files.length, TEXTS_MAX) || 1,
        }),
        // A look and what it found have one instant.
        store.events({ ...whose, kinds: ["config.diagnostic"], from: look.ts, to: look.ts, limit: FINDINGS_MAX + 1 }),
      ]);
      const ids = [look, ...(chain ? [chain] : []), ...texts, ...findings].map(({ id }) => id);
      const tag = `"${createHash("sha256").update(ids.join()).digest("hex")}"`;
      // Asked again and again by an open page, and megabytes.
      reply.header("cache-control", "private, no-cache").header("etag", tag);
      if (headers["if-none-match"] === tag) {
        await reply.code(304).send();
        return undefined;
      }
      return {
        ...whose,
        ts: look.ts,
        unreadable: isKind(look, "config.unreadable") ? { path: look.path, message: look.message } : null,
        chain:
          chain && isKind(chain, "config.chain")
            ? { ts: chain.ts, steps: chain.steps, files: chain.files, release: chain.release }
            : null,
        files: files.map((file) => withText(file, texts)),
        areAllFindings: findings.length <= FINDINGS_MAX,
        findings: findings
          .slice(0, FINDINGS_MAX)
          .flatMap((found) =>
            isKind(found, "config.diagnostic") && found.source === "config" ? [findingOf(found)] : [],
          ),
      };
    },
  );
  app.get<{ Querystring: Static<typeof ComparisonQuery> }>(
    "/api/v1/configs/comparison",
    {
      schema: {
        summary: "The configurations of a virtual router's nodes side by side, and who is master when what fails",
        querystring: ComparisonQuery,
        response: Answers.comparison,
      },
    },
    async ({ query }): Promise<ConfigComparison> => {
      const router = engine.routers().find(({ id }) => id === query.router);
      if (!router) throw new ProblemError(404, `no virtual router is called ${query.router}`);
      // Of a node with two of them the first: they are the same to the others.
      const names = new Map([...router.instances].reverse().map(({ node, name }) => [node, name]));
      const newestOnes = await store.newestOfEach(router.cluster, [...names.keys()], "config.loaded");
      const byNode = new Map(newestOnes.map((event) => [event.node, event]));
      const told = [...names.keys()].sort().map((node): MemberConfig | string => {
        const loaded = byNode.get(node);
        if (!loaded || !isKind(loaded, "config.loaded")) return node;
        const instance = loaded.instances.find((one) => one.instance === names.get(node));
        return instance ? { loaded, instance } : node;
      });
      return {
        ...compareConfigs(told.flatMap((one) => (typeof one === "string" ? [] : [one]))),
        untold: told.filter((one) => typeof one === "string"),
      };
    },
  );
}

function withText(
  file: EventOf<"config.loaded">["files"][number],
  texts: readonly Event[],
): NodeConfig["files"][number] {
  const found = texts.find((one) => isKind(one, "config.text") && one.path === file.path && one.sha256 === file.sha256);
  const told = found && isKind(found, "config.text") ? found : undefined;
  return {
    path: file.path,
    sha256: file.sha256,
    changedTs: file.changedTs ?? null,
    text: told?.text ?? null,
    truncated: told?.truncated ?? false,
  };
}

function findingOf(found: EventOf<"config.diagnostic">): NodeConfig["findings"][number] {
  const { code, severity, message, file, line, column, fix } = found;
  return {
    code,
    severity,
    message,
    file: file ?? null,
    line: line ?? null,
    column: column ?? null,
    fix: fix ?? null,
  };
}
