import { x } from "./cycle-a-planted-violation.ts";
export const y = (): number => x();
