/** What is marked on the timeline of a node: its configuration changed, keepalived was started, stopped or reloaded, or a child of it died. */
export const MARKS = ["config", "start", "stop", "reload", "died"] as const;
