/** Who may change or ask something says so with a token; it is kept for as long as the page is open, and nowhere else. */
export const held = { token: "" };
