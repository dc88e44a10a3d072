import { RE2JS, RE2JSSyntaxException } from "re2js";
import type { Incident } from "../detect/incident.ts";

/** What an incident is matched by: one value, or, of `node`, as many as it has nodes. What it has none of is the empty string. */
export const LABELS = [
  "cluster",
  "kind",
  "severity",
  "certainty",
  "router",
  "instance",
  "service",
  "component",
  "node",
  "cause",
] as const;
export type Label = (typeof LABELS)[number];

export const OPERATORS = ["=", "!=", "=~", "!~"] as const;
export type Operator = (typeof OPERATORS)[number];

/** Longest value or pattern of a matcher, in characters. */
export const VALUE_MAX_CHARS = 1024;

/** One condition on one label, as it is written and as it is asked. */
export interface Matcher {
  readonly label: Label;
  readonly operator: Operator;
  readonly value: string;
  /** @returns whether one value fits, before `!` turns it round */
  readonly fits: (value: string) => boolean;
}

export function labelValues(incident: Incident, label: Label): readonly string[] {
  const { subject } = incident;
  switch (label) {
    case "cluster":
      return [incident.cluster];
    case "kind":
      return [incident.kind];
    case "severity":
      return [incident.severity];
    case "certainty":
      return [incident.certainty];
    case "router":
    case "instance":
    case "service":
    case "component":
      return [subject[label] ?? ""];
    case "node":
      return subject.nodes.length === 0 ? [""] : subject.nodes;
    case "cause":
      return [incident.cause?.code ?? ""];
  }
}

/** All of them fit. Of several nodes one is enough for `=` and `=~`, and none may fit for `!=` and `!~`. */
export function matchesAll(matchers: readonly Matcher[], incident: Incident): boolean {
  return matchers.every(({ label, operator, fits }) => {
    const isOne = labelValues(incident, label).some(fits);
    return operator === "=" || operator === "=~" ? isOne : !isOne;
  });
}

/**
 * Reads `kind="split-brain"`, `node=~"lb[12]"`, `severity!=info`: Alertmanager's form.
 * @returns a sentence when it is none
 */
export function parseMatcher(text: string): Matcher | string {
  const [, label = "", operator = "", written = ""] = /^\s*([A-Za-z_]*)\s*(=~|!~|!=|=)\s*(.*?)\s*$/su.exec(text) ?? [];
  if (operator === "") return `has no operator: write label="value" with ${OPERATORS.join(", ")}`;
  const value = written.startsWith('"') ? unquoted(written) : written;
  if (value === undefined) return "has a value that does not end with its quotation mark";
  return makeMatcher(label, operator, value);
}

/**
 * Patterns are RE2's, which match in time that is linear in the text, and are anchored at both ends as Alertmanager's are.
 * @returns a sentence when it is no matcher
 */
export function makeMatcher(label: string, operator: string, value: string): Matcher | string {
  const isLabel = (name: string): name is Label => (LABELS as readonly string[]).includes(name);
  const isOperator = (name: string): name is Operator => (OPERATORS as readonly string[]).includes(name);
  if (!isLabel(label)) return `asks for the label ${JSON.stringify(label)}, which is none of ${LABELS.join(", ")}`;
  if (!isOperator(operator)) return `has an operator that is none of ${OPERATORS.join(", ")}`;
  if (value.length > VALUE_MAX_CHARS) return `has a value of more than ${VALUE_MAX_CHARS} characters`;
  if (operator === "=" || operator === "!=") return { label, operator, value, fits: (found) => found === value };
  try {
    const pattern = RE2JS.compile(value);
    return { label, operator, value, fits: (found) => pattern.matches(found) };
  } catch (error) {
    if (!(error instanceof RE2JSSyntaxException)) throw error;
    return `has a pattern that RE2 does not read: ${error.getDescription()}`;
  }
}

/** As it would be written in the configuration. */
export function matcherText({ label, operator, value }: Pick<Matcher, "label" | "operator" | "value">): string {
  return `${label}${operator}"${value.replaceAll(/["\\]/g, String.raw`\$&`)}"`;
}

/** Only `\"` and `\\` are escapes: a pattern keeps its own. */
function unquoted(text: string): string | undefined {
  const inside = /^"((?:[^"\\]|\\.)*)"$/su.exec(text)?.[1];
  return inside?.replaceAll(/\\(["\\])/g, "$1");
}
