import { y } from "./cycle-b-planted-violation.ts";
export const x = (): number => y();
