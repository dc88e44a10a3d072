/** The version in package.json; a test of the house holds them together. */
export const VERSION = "0.1.0";
