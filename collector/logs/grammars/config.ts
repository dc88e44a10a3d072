import type { LineGrammar } from "../grammar.ts";
import { cut } from "../text.ts";
import { CONFIG_MESSAGES, type ConfigMessage } from "./config-messages.ts";

/** `… for vrrp_instance VI_1 doesn't exist`: the instance is named in the words instead of in front of them. */
const NAMED_IN_WORDS = /\b(?:vrrp_instance|vrrp instance|VRRP instance)[ [](?<name>[^\s\]]+)/;

function grammarOf({ code, severity, source, since, templates }: ConfigMessage): LineGrammar {
  return {
    id: `config.${code}.${severity}`,
    source,
    since,
    samples: templates.map((template) => template.replaceAll("{*}", "x").replace(/\{\w+:d\}/g, "7")),
    templates,
    toEvent: (_words, { message, file, line, instance }) => {
      const named = instance ?? NAMED_IN_WORDS.exec(message)?.groups?.["name"];
      return {
        kind: "config.diagnostic",
        code,
        severity,
        message: cut(message, 1024),
        ...(file === undefined ? {} : { file: cut(file, 4096) }),
        ...(line === undefined || line < 1 ? {} : { line }),
        ...(named === undefined ? {} : { instance: cut(named, 255) }),
      };
    },
  };
}

export const configGrammars: readonly LineGrammar[] = CONFIG_MESSAGES.map(grammarOf);
