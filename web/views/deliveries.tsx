import { useEffect, useState } from "preact/hooks";
import type { Delivery } from "../../server/api/types.ts";
import { api, ApiError } from "../api.ts";
import { words } from "../text/language.ts";
import { formatDateTime, type Zone } from "../time.ts";
import { held } from "../token.ts";
import { type Asked, sentenceOf } from "./shared.tsx";
import { TokenField } from "./token-field.tsx";

/** How often is looked what came of one that was sent again, milliseconds. */
const LOOK_MS = 1_000;

/** Who was told of an incident, each with a way to send it again. */
export function Deliveries({
  incidentId,
  asked,
  zone,
}: {
  incidentId: string;
  asked: Asked<readonly Delivery[]>;
  zone: Zone;
}) {
  const { evidence: text, shell } = words();
  /** Newer than what was asked. */
  const [looked, setLooked] = useState<readonly Delivery[] | null>(null);
  /** The delivery that was sent again last; null when that failed or none was. */
  const [sent, setSent] = useState<Delivery | null>(null);
  const [trouble, setTrouble] = useState<string | null>(null);
  const [needsToken, setNeedsToken] = useState(false);
  const [isBusy, setBusy] = useState(false);
  useEffect(() => setLooked(null), [asked.value]);
  const all = looked ?? asked.value;
  const now = sent && (all?.find(({ id }) => id === sent.id) ?? sent);
  const isWaiting = now?.status === "pending";
  useEffect(() => {
    if (!isWaiting) return undefined;
    let isWanted = true;
    const look = async (): Promise<void> => {
      try {
        const found = await api.deliveries(incidentId);
        if (isWanted) setLooked(found);
      } catch (error) {
        if (isWanted) setTrouble(sentenceOf(error));
      }
    };
    const timer = setInterval(() => void look(), LOOK_MS);
    return () => {
      isWanted = false;
      clearInterval(timer);
    };
  }, [isWaiting, incidentId]);
  const replay = async (id: string): Promise<void> => {
    setBusy(true);
    setSent(null);
    try {
      setSent(await api.replayDelivery(id, held.token));
      setLooked(await api.deliveries(incidentId));
      setTrouble(null);
    } catch (error) {
      setTrouble(sentenceOf(error));
      if (error instanceof ApiError && error.status === 401) setNeedsToken(true);
    }
    setBusy(false);
  };
  if (asked.trouble) return <p role="alert">{asked.trouble}</p>;
  if (!all) return <p class="muted">{shell.asking}</p>;
  if (all.length === 0) return <p class="muted">{text.nobody}</p>;
  return (
    <>
      <ul class="deliveries">
        {all.map(({ id, event, receiver, target, status, attempts, createdTs, lastError, replayOf }) => (
          <li key={id}>
            {formatDateTime(createdTs, zone)} {text.told(event, receiver, target)}:{" "}
            <strong>{text.statuses[status]}</strong>
            {attempts > 0 && text.attempts(attempts)}
            {lastError && `: ${lastError}`}
            {replayOf !== undefined && ` (${text.again})`}{" "}
            <button
              type="button"
              disabled={isBusy}
              aria-label={text.replayOf(text.told(event, receiver, target), formatDateTime(createdTs, zone))}
              onClick={() => void replay(id)}
            >
              {text.replay}
            </button>
          </li>
        ))}
      </ul>
      {needsToken && <TokenField />}
      {trouble !== null && <p role="alert">{trouble}</p>}
      <p role="status">
        {isBusy
          ? shell.asking
          : now &&
            text.replayed(
              now.target,
              now.status === "pending" && now.attempts === 0 ? null : text.statuses[now.status],
              now.attempts,
              now.lastError,
            )}
      </p>
    </>
  );
}
