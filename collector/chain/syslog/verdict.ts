/** yes, no, or only a run could tell. */
export type Verdict = boolean | undefined;

export const and = (a: Verdict, b: Verdict): Verdict =>
  a === false || b === false ? false : a === undefined || b === undefined ? undefined : true;
export const or = (a: Verdict, b: Verdict): Verdict =>
  a === true || b === true ? true : a === undefined || b === undefined ? undefined : false;
export const not = (a: Verdict): Verdict => (a === undefined ? undefined : !a);
