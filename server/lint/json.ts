import { nameOf } from "../../collector/conf/election.ts";
import type { LintReport } from "./lint.ts";

/** One JSON document with all that was found. */
export function printJson({ nodes, diagnostics, routers, errors }: LintReport): string {
  const document = {
    diagnostics: diagnostics.map(({ hasNoLine: _hasNoLine, ...one }) => one),
    nodes: nodes.map(({ subject, config, files, chain }) => ({
      ...(subject.node === undefined ? {} : { node: subject.node }),
      file: subject.path,
      files: files.map(({ path }) => path),
      keepalivedVersion: subject.release.join("."),
      keepalivedVersionWhy: subject.releaseWhy,
      instances: config.instances.map(({ instance }) => instance),
      virtualServers: config.virtualServers,
      chain,
    })),
    routers: routers.map(({ family, vrid, vips, members, election }) => ({
      family,
      vrid,
      vips,
      members,
      election: {
        complete: election.complete,
        failuresMax: election.failuresMax,
        combinations: election.rows.map(({ failed, master, undecided, priorities }) => ({
          failed: failed.map(nameOf),
          master: master ?? null,
          undecided,
          priorities,
        })),
      },
    })),
    errors: errors.map((error) => ({ code: error.code, message: error.toLine() })),
  };
  return `${JSON.stringify(document, undefined, 2)}\n`;
}
