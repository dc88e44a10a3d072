import { en, type Words } from "./en.ts";
import { zh } from "./zh.ts";

export const LANGUAGES = { en, zh } as const;
export type Language = keyof typeof LANGUAGES;

const KEY = "keepwatch.language";

/** What was chosen before, else the first of the browser's languages that there is. */
export function preferredLanguage(): Language {
  const chosen = stored();
  for (const tag of chosen === null ? navigator.languages : [chosen]) {
    const [primary = ""] = tag.toLowerCase().split("-");
    if (isLanguage(primary)) return primary;
  }
  return "en";
}

let current: Words = en;

/** The page's words in the reader's language. */
export const words = (): Words => current;

export function speak(language: Language): void {
  current = LANGUAGES[language];
  document.documentElement.lang = language === "zh" ? "zh-Hans" : "en";
}

export function remember(language: Language): void {
  try {
    localStorage.setItem(KEY, language);
  } catch {
    // Without a place to keep it, it lasts as long as the page.
  }
}

function stored(): string | null {
  try {
    return localStorage.getItem(KEY);
  } catch {
    return null;
  }
}

export const isLanguage = (text: string): text is Language => Object.hasOwn(LANGUAGES, text);
