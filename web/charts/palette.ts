import type { BarState } from "../../server/api/types.ts";

/** Colours of the page's own style sheet, so that light and dark are said once. */
export interface Palette {
  readonly text: string;
  readonly muted: string;
  readonly grid: string;
  readonly surface: string;
  readonly incident: string;
  readonly suspected: string;
  readonly series: readonly string[];
  readonly state: Readonly<Record<BarState, string>>;
}

export function readPalette(): Palette {
  const style = getComputedStyle(document.documentElement);
  const colour = (name: string): string => style.getPropertyValue(`--${name}`).trim();
  return {
    text: colour("text"),
    muted: colour("muted"),
    grid: colour("grid"),
    surface: colour("surface"),
    incident: colour("incident"),
    suspected: colour("suspected"),
    series: [1, 2, 3, 4, 5, 6].map((i) => colour(`series-${i}`)),
    state: {
      MASTER: colour("master"),
      BACKUP: colour("backup"),
      FAULT: colour("fault"),
      INIT: colour("init"),
      STOPPED: colour("stopped"),
      UP: colour("backup"),
      DOWN: colour("fault"),
    },
  };
}
