import type { LineGrammar } from "../grammar.ts";
import { cut } from "../text.ts";
import { bfdMessages } from "./config/bfd.ts";
import { checkersMessages } from "./config/checkers.ts";
import { filesMessages } from "./config/files.ts";
import { globalMessages } from "./config/global.ts";
import { interfacesMessages } from "./config/interfaces.ts";
import type { ConfigMessage } from "./config/message.ts";
import { routesMessages } from "./config/routes.ts";
import { scriptsMessages } from "./config/scripts.ts";
import { serversMessages } from "./config/servers.ts";
import { trackingMessages } from "./config/tracking.ts";
import { vrrpMessages } from "./config/vrrp.ts";
import { MESSAGE_MAX } from "./fields.ts";
import { samplesOf } from "./rows.ts";

/** Longest path: Linux's PATH_MAX. */
const PATH_MAX = 4096;

function grammarOf({ code, severity, ...row }: ConfigMessage): LineGrammar {
  return {
    id: `config.${code}.${severity}`,
    ...row,
    samples: samplesOf(row.templates),
    toEvent: (_words, { message, file, line }) => ({
      kind: "config.diagnostic",
      code,
      severity,
      message: cut(message, MESSAGE_MAX),
      ...(file === undefined ? {} : { file: cut(file, PATH_MAX) }),
      ...(line === undefined || line < 1 ? {} : { line }),
    }),
  };
}

export const configGrammars: readonly LineGrammar[] = [
  ...filesMessages,
  ...globalMessages,
  ...vrrpMessages,
  ...interfacesMessages,
  ...trackingMessages,
  ...routesMessages,
  ...serversMessages,
  ...checkersMessages,
  ...bfdMessages,
  ...scriptsMessages,
].map(grammarOf);
