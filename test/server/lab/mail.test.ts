import { createTransport } from "nodemailer";
import { expect, test } from "vitest";
import { subjectOf } from "../../../server/lab/mail.ts";

test.each([
  ["a plain one", "[lb1] VRRP Instance VI_1 - Entering MASTER state"],
  ["one longer than a line", `[keepwatch] ${"a word and another ".repeat(12)}`.trim()],
  [
    "one with other letters than ASCII",
    "[keepwatch] Grüße, und was länger als eine Zeile ist, wird gefaltet … immer wieder …",
  ],
  ["one of other letters alone", "日本語の件名はどこで切られても元に戻る".repeat(4)],
  ["an empty one", ""],
])("the subject is read as it was meant: %s", async (_what, subject) => {
  const { message } = await createTransport({ streamTransport: true, buffer: true }).sendMail({
    from: "a@example.org",
    to: "b@example.org",
    subject,
    text: "Subject: not this one",
  });
  expect(subjectOf((message as Buffer).toString("utf8"))).toBe(subject);
});
