/**
 * How the months are called in the timestamps of logs. rsyslog, syslogd and keepalived itself always write English;
 * `journalctl` and whatever else prints with strftime's `%b` write the language of who called them.
 *
 * The words are those of glibc's locales (abmon) and of CLDR; a test compares them with what this Node knows. A word that
 * two languages use for two months is in neither: Croatian is left out for that (its `lip` is June, Poland's is July).
 */
const LANGUAGES: Readonly<Record<string, string>> = {
  en: "jan feb mar apr may jun jul aug sep oct nov dec",
  // Written in digits: 11月 in China, Japan and Taiwan, 11월 in Korea.
  zh: "1月 2月 3月 4月 5月 6月 7月 8月 9月 10月 11月 12月",
  ko: "1월 2월 3월 4월 5월 6월 7월 8월 9월 10월 11월 12월",
  ca: "gen febr març abr maig juny jul ag set oct nov des",
  cs: "led úno bře dub kvě čen čec srp zář říj lis pro",
  da: "jan feb mar apr maj jun jul aug sep okt nov dec",
  de: "jan feb mär apr mai jun jul aug sep okt nov dez",
  "de-CLDR": "jan feb märz apr mai juni juli aug sept okt nov dez",
  "de-AT": "jän feb mär apr mai jun jul aug sep okt nov dez",
  el: "ιαν φεβ μαρ απρ μαΐ ιουν ιουλ αυγ σεπ οκτ νοε δεκ",
  es: "ene feb mar abr may jun jul ago sep oct nov dic",
  "es-CLDR": "ene feb mar abr may jun jul ago sept oct nov dic",
  et: "jaan veebr märts apr mai juuni juuli aug sept okt nov dets",
  fi: "tammi helmi maalis huhti touko kesä heinä elo syys loka marras joulu",
  fr: "janv févr mars avril mai juin juil août sept oct nov déc",
  "fr-CLDR": "janv févr mars avr mai juin juil août sept oct nov déc",
  hu: "jan febr márc ápr máj jún júl aug szept okt nov dec",
  id: "jan feb mar apr mei jun jul agu sep okt nov des",
  it: "gen feb mar apr mag giu lug ago set ott nov dic",
  nb: "jan feb mars april mai juni juli aug sep okt nov des",
  nl: "jan feb mrt apr mei jun jul aug sep okt nov dec",
  pl: "sty lut mar kwi maj cze lip sie wrz paź lis gru",
  pt: "jan fev mar abr mai jun jul ago set out nov dez",
  ro: "ian feb mar apr mai iun iul aug sep oct nov dec",
  "ro-CLDR": "ian feb mar apr mai iun iul aug sept oct nov dec",
  ru: "янв фев мар апр мая июн июл авг сен окт ноя дек",
  "ru-CLDR": "янв февр мар апр мая июн июл авг сент окт нояб дек",
  sk: "jan feb mar apr máj jún júl aug sep okt nov dec",
  sv: "jan feb mar apr maj jun jul aug sep okt nov dec",
  "sv-CLDR": "jan feb mars apr maj juni juli aug sep okt nov dec",
  tr: "oca şub mar nis may haz tem ağu eyl eki kas ara",
  uk: "січ лют бер кві тра чер лип сер вер жов лис гру",
  "uk-CLDR": "січ лют бер квіт трав черв лип серп вер жовт лист груд",
};

const BY_WORD: ReadonlyMap<string, number> = new Map(
  Object.values(LANGUAGES).flatMap((words) => words.split(" ").map((word, i) => [word, i + 1] as const)),
);

/** The month a word of a timestamp means, from 1; upper case and a full stop behind it do not matter. */
export function monthOf(word: string): number | undefined {
  const known = BY_WORD.get(word);
  return known ?? BY_WORD.get((word.endsWith(".") ? word.slice(0, -1) : word).toLowerCase());
}
