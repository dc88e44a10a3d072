import { normaliseAddress } from "../../core/address.ts";
import { isMulticast } from "../model/read.ts";

/** What keepalived does about a keyword without its value: it ends; it says so and takes nothing; nothing is wrong. */
export type Missing = "fatal" | "told" | "allowed";

/** What a keyword takes. */
export interface Value {
  readonly missing: Missing;
  /** How many words are looked at; what stands behind them is ignored without a word. */
  readonly words: number;
  /** Undefined: every text is taken. @returns what is wrong with the words, as the end of a sentence, or undefined */
  readonly fault?: (words: readonly string[]) => string | undefined;
  /** Code of the fault, where it has one of its own. */
  readonly code?: string;
  /** What becomes of a value with a fault, where it is taken in part. */
  readonly instead?: string;
  /** A block that has a name behind its keyword. */
  readonly isNamed?: true;
}

export const U32_MAX = 4_294_967_295;

/** Present or not: what stands behind it is ignored. */
export const flag: Value = { missing: "allowed", words: 0 };

/** `on`, `true`, `yes`, `off`, `false`, `no`; the keyword alone is true. */
export const bool: Value = {
  missing: "allowed",
  words: 1,
  fault: ([word = ""]) =>
    ["on", "true", "yes", "off", "false", "no"].includes(word) ? undefined : "is none of on, true, yes, off, false, no",
};

/** Its value has a grammar of its own, which is looked at elsewhere or not at all. */
export const anything: Value = { missing: "allowed", words: Number.POSITIVE_INFINITY };

/** A block: what is in it is looked at, its own words are not. */
export const block: Value = { ...anything };

/** A block that is nothing without its name. */
export const namedBlock: Value = { ...block, missing: "fatal", isNamed: true };

/** Any text: a name, a path, a command with its arguments. */
export const text = (missing: Missing): Value => ({ missing, words: Number.POSITIVE_INFINITY });

/** Any text, in one word. */
export const oneWord = (missing: Missing): Value => ({
  ...text(missing),
  fault: (words) => (words.length > 1 ? "is more than one word" : undefined),
});

/** A name that is cut when it is too long. */
export const shortName = (max: number, missing: Missing): Value => ({
  missing,
  words: 1,
  fault: ([word = ""]) => (word.length > max ? `has more than ${max} characters` : undefined),
  instead: "is cut",
});

interface NumberOptions {
  readonly missing: Missing;
  /** Digits after the point; default: none. */
  readonly decimals?: number;
  readonly code?: string;
}

/** A decimal number within bounds. (keepalived 2.2.7, lib/parser.c) */
export function number(min: number, max: number, { missing, decimals = 0, code }: NumberOptions): Value {
  const what = decimals > 0 ? "a number" : "a whole number";
  const range = max >= U32_MAX ? `${what} from ${min}` : `${what} from ${min} to ${max}`;
  return {
    missing,
    words: 1,
    fault: ([word = ""]) => {
      const value = Number(word);
      const isNumber = decimals > 0 ? /^-?(\d+(\.\d*)?|\.\d+)$/.test(word) : /^[-+]?\d+$/.test(word);
      return isNumber && value >= min && value <= max ? undefined : `is not ${range}`;
    },
    ...(code === undefined ? {} : { code }),
  };
}

/** `all` may stand before or behind it. */
export function withAll(inner: Value): Value {
  return {
    ...inner,
    words: inner.words + 1,
    fault: (words) => {
      const [first, ...rest] = words.filter((word) => word !== "all");
      return first === undefined ? undefined : inner.fault?.([first, ...rest]);
    },
  };
}

/** One of a few words, in exactly this spelling. */
export function oneOf(
  known: readonly string[],
  { missing, code, orNumber = false }: { missing: Missing; code?: string; orNumber?: boolean },
): Value {
  return {
    missing,
    words: 1,
    fault: ([word = ""]) => {
      if (known.includes(word) || (orNumber && /^\d{1,10}$/.test(word) && Number(word) <= U32_MAX)) return undefined;
      const meant = known.find((one) => one.toLowerCase() === word.toLowerCase());
      if (meant !== undefined) return `is not ${meant}: capital and small letters differ`;
      return known.length === 1 ? `is not ${known[0]}` : `is none of ${known.join(", ")}`;
    },
    ...(code === undefined ? {} : { code }),
  };
}

export const address = (missing: Missing): Value => ({
  missing,
  words: 2,
  fault: ([word = ""]) => (normaliseAddress(word) === undefined ? "is not an IPv4 or IPv6 address" : undefined),
});

/** The name of an interface. Whether there is one is a matter of the node. */
export const iface = (missing: Missing): Value => ({ missing, words: 1 });

/** `N [reverse]` of a script: the rules of tracking look at its range. */
export const trackedWeight = (missing: Missing): Value => ({
  missing,
  words: 2,
  fault: ([word = "", option]) => (/^[-+]?\d+$/.test(word) ? reverseFault(option) : "is not a whole number"),
});

const reverseFault = (option: string | undefined): string | undefined =>
  option === undefined || option === "reverse" || option === "noreverse"
    ? undefined
    : `is followed by ${JSON.stringify(option.slice(0, 40))}, and only reverse or noreverse may be`;

/** Numbers of processors. */
export const cpus: Value = {
  missing: "told",
  words: Number.POSITIVE_INFINITY,
  fault: (words) =>
    words.every((word) => /^\d{1,4}$/.test(word)) ? undefined : "is not a list of processors' numbers",
};

/** A netmask, or for IPv6 a prefix length. */
export const granularity: Value = {
  missing: "fatal",
  words: 1,
  fault: ([word = ""]) =>
    normaliseAddress(word) !== undefined || (/^\d{1,3}$/.test(word) && Number(word) >= 1 && Number(word) <= 128)
      ? undefined
      : "is neither a netmask nor a length from 1 to 128",
};

/** `N [reverse]`. */
export const weight = (max: number, missing: Missing): Value => ({
  missing,
  words: 2,
  fault: ([word = "", option]) => number(-max, max, { missing }).fault?.([word]) ?? reverseFault(option),
});

/** `NAME N` pairs; a number that is too large is passed over by itself. */
export function pairs(max: number, ...names: readonly string[]): Value {
  return {
    missing: "told",
    words: Number.POSITIVE_INFINITY,
    fault: (words) => {
      for (let i = 0; i < words.length; i += 2) {
        const [name = "", value = ""] = words.slice(i, i + 2);
        if (!names.includes(name) || !/^\d+$/.test(value))
          return `is not a list of ${names.map((one) => `${one} N`).join(", ")}`;
        if (Number(value) > max) return `has a number above ${max}`;
      }
      return undefined;
    },
  };
}

/** `INTERFACE [INSTANCE] [id N] [maxlen N] [port N] [ttl N] [group ADDRESS] [inst NAME]` (keepalived 2.2.7, global_parser.c) */
export const syncDaemon: Value = {
  missing: "told",
  words: Number.POSITIVE_INFINITY,
  fault: ([, ...words]) => {
    const options = words[0] !== undefined && !isSyncOption(words[0]) ? words.slice(1) : words;
    for (let i = 0; i < options.length; i += 2) {
      const [name = "", value] = options.slice(i, i + 2);
      if (!isSyncOption(name))
        return `has ${JSON.stringify(name.slice(0, 40))} where an option is due: id, maxlen, port, ttl, group or inst`;
      if (value === undefined) return `has nothing behind ${name}`;
      const range = SYNC_RANGES[name];
      const fault = range && number(range[0], range[1], { missing: "told" }).fault?.([value]);
      if (fault !== undefined) return `has ${name} ${value.slice(0, 40)}, which ${fault}`;
      if (name === "group" && !isMulticast(value)) return "has a group that is no multicast address";
      if (name === "inst" && options !== words) return "names its instance twice";
    }
    return undefined;
  },
  instead: "that option is passed over",
};

const SYNC_RANGES: Readonly<Record<string, readonly [number, number]>> = {
  id: [0, 255],
  maxlen: [1, 65_507],
  port: [1, 65_535],
  ttl: [1, 255],
};
const isSyncOption = (word: string): boolean => Object.hasOwn(SYNC_RANGES, word) || word === "group" || word === "inst";

/** `HOST [PORT]`. */
export const hostAndPort: Value = {
  missing: "fatal",
  words: 2,
  fault: ([, port]) =>
    port === undefined
      ? undefined
      : number(1, 65_535, { missing: "told" }).fault?.([port])?.replace(/^/, "has a port that "),
};

/** `[VALUE] [overwrite]`. */
export const initFile: Value = {
  missing: "allowed",
  words: Number.POSITIVE_INFINITY,
  fault: (words) =>
    words.every((word) => word === "overwrite" || /^[-+]?\d+$/.test(word))
      ? undefined
      : "is neither a number nor overwrite",
};

/** The name of an interface, which may be one that comes later. */
export const boundTo: Value = {
  missing: "fatal",
  words: 1,
  fault: ([word = ""]) => (word.length > 15 ? "has more than 15 characters" : undefined),
};

/** A multicast address. */
export const multicast: Value = {
  missing: "fatal",
  words: 1,
  fault: ([word = ""]) => (isMulticast(word) ? undefined : "is no multicast address"),
};

/** A domain name. */
export const domain = (missing: Missing): Value => ({
  ...text(missing),
  fault: ([word = ""]) => (word.includes("..") ? "has an empty label" : undefined),
});

const INCLUDE_CHECKS: readonly string[] = ["read", "match", "wildcard_match", "brace_match"];

/** `TYPE` alone, or `+TYPE -TYPE …`; nothing at all is all of them. (keepalived 2.2.7) */
export const includeChecks: Value = {
  missing: "allowed",
  words: Number.POSITIVE_INFINITY,
  fault: (words) => {
    const unknown = words.find((word) => !INCLUDE_CHECKS.includes(word.replace(/^[+-]/, "")));
    if (unknown !== undefined) return `is no list of ${INCLUDE_CHECKS.join(", ")}`;
    return words.slice(1).some((word) => !/^[+-]/.test(word)) ? "has a second word without + or -" : undefined;
  },
  instead: "that word is passed over",
};

/** Octal, or names as in `IRUSR|IWUSR`. */
export const umask: Value = {
  missing: "fatal",
  words: 1,
  fault: ([word = ""]) =>
    /^0?[0-7]{1,3}$/.test(word) || /^I[RWX](USR|GRP|OTH)(\|I[RWX](USR|GRP|OTH))*$/.test(word)
      ? undefined
      : "is neither octal from 0 to 777 nor a list such as IRUSR|IWUSR",
};

/** An MD5 sum as genhash prints it. */
export const digest: Value = {
  missing: "fatal",
  words: 1,
  fault: ([word = ""]) => {
    if (word.length !== 32) return `has ${word.length} characters, and a digest has 32`;
    return /^[0-9a-fA-F]*$/.test(word) ? undefined : "has characters that are no hexadecimal digits";
  },
};

/** Status codes and ranges, `200 301-303`. */
export const statusCodes: Value = {
  missing: "allowed",
  words: Number.POSITIVE_INFINITY,
  fault: (words) => {
    for (const word of words) {
      const [, low, , high] = /^(\d{3})(-(\d{3}))?$/.exec(word) ?? [];
      if (low === undefined || Number(low) < 100 || Number(high ?? low) > 599 || Number(high ?? low) < Number(low))
        return "is not a list of codes or ranges from 100 to 599";
    }
    return undefined;
  },
};

/** Hexadecimal digits, two a byte; with `mask`, bytes may be `**` or `XX/XX`. */
export const hexBytes = (missing: Missing): Value => ({
  missing,
  words: Number.POSITIVE_INFINITY,
  fault: (words) =>
    /^([0-9a-fA-F]{2}|[0-9a-fA-F*?]{1,2})*$/.test(words.join("")) ? undefined : "is not a string of hexadecimal digits",
});
