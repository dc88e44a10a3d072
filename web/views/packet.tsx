import { Fragment } from "preact";
import { useState } from "preact/hooks";
import type { AdvertPacket, AdvertTick, PacketPart } from "../../server/api/types.ts";
import { api } from "../api.ts";
import { words } from "../text/language.ts";
import { useAsked } from "./shared.tsx";

/** Bytes in a line of the dump. */
const ROW_BYTES = 16;

/** An advert with all of its fields, and its packet byte by byte. */
export function AdvertDetails({
  router,
  advert,
}: {
  readonly router: string;
  readonly advert: Pick<AdvertTick, "node" | "sender" | "ts">;
}) {
  const { node, sender, ts } = advert;
  const { value, trouble } = useAsked(() => api.packet(router, { node, sender, ts }), [router, node, sender, ts]);
  if (trouble) return <p role="alert">{trouble}</p>;
  if (!value) return <p role="status">{words().shell.asking}</p>;
  return (
    <>
      <dl class="fields">
        {Object.entries(value.advert)
          .filter(([name]) => !NO_FIELD.has(name))
          .map(([name, field]) => (
            <Fragment key={name}>
              <dt>{name}</dt>
              <dd>{textOf(field)}</dd>
            </Fragment>
          ))}
      </dl>
      <Packet packet={value} />
    </>
  );
}

/** What is not of the advert but of how it was kept. */
const NO_FIELD: ReadonlySet<string> = new Set(["id", "cluster", "node", "source", "kind", "ts", "tsUncertaintyUs"]);

function textOf(field: unknown): string {
  if (Array.isArray(field)) return field.join(", ");
  if (typeof field !== "object" || field === null) return String(field);
  return Object.entries(field)
    .map(([name, value]) => `${name} ${String(value)}`)
    .join(", ");
}

function Packet({ packet }: { readonly packet: AdvertPacket }) {
  const { advert, bytes: hex, parts, leftOut } = packet;
  const [marked, setMarked] = useState<number | null>(null);
  const text = words().packet;
  const bytes = hex?.match(/../g) ?? [];
  return (
    <section class="packet" aria-labelledby="packet-title">
      <h3 id="packet-title">{text.title}</h3>
      {hex === null ? <p>{text.none}</p> : <p>{text.rebuilt}</p>}
      {leftOut.map((what) => (
        <p key={what}>{text.leftOut[what]}</p>
      ))}
      {advert.kind === "wire.advert" && advert.checksum === "bad" && <p>{text.badSum}</p>}
      {hex !== null && (
        <>
          <Dump bytes={bytes} parts={parts} marked={marked} onMark={setMarked} />
          <table>
            <thead>
              <tr>
                <th scope="col">{text.columns[0]}</th>
                <th scope="col">{text.columns[1]}</th>
                <th scope="col">{text.columns[2]}</th>
                <th scope="col">{text.columns[3]}</th>
              </tr>
            </thead>
            {(["ip", "vrrp"] as const).map((layer) => (
              <tbody key={layer}>
                <tr>
                  <th scope="rowgroup" colSpan={4}>
                    {text.layers[layer]}
                  </th>
                </tr>
                {parts.map(
                  (part, index) =>
                    part.layer === layer && (
                      <tr
                        key={part.at}
                        class={part.origin}
                        data-part={part.name}
                        data-marked={marked === index}
                        onMouseEnter={() => setMarked(index)}
                        onMouseLeave={() => setMarked(null)}
                      >
                        <td>{part.at}</td>
                        <td class="bytes">{bytes.slice(part.at, part.at + part.length).join(" ")}</td>
                        <td>{text.parts[part.name]}</td>
                        <td>
                          {part.value}
                          {part.origin !== "kept" && <span class="muted"> {text.origins[part.origin]}</span>}
                        </td>
                      </tr>
                    ),
                )}
              </tbody>
            ))}
          </table>
        </>
      )}
    </section>
  );
}

/** Sixteen bytes a line, as every tool shows them; which field a byte is of shows where the pointer is. */
function Dump({
  bytes,
  parts,
  marked,
  onMark,
}: {
  readonly bytes: readonly string[];
  readonly parts: readonly PacketPart[];
  readonly marked: number | null;
  readonly onMark: (index: number | null) => void;
}) {
  const owners = parts.flatMap((part, index) => Array.from({ length: part.length }, () => ({ part, index })));
  const rows = Array.from({ length: Math.ceil(bytes.length / ROW_BYTES) }, (_, row) => row * ROW_BYTES);
  return (
    <div class="dump" role="group" aria-label={words().packet.dump} onMouseLeave={() => onMark(null)}>
      {rows.map((at) => (
        <div key={at}>
          <span class="muted">{at.toString(16).padStart(4, "0")}</span>
          {bytes.slice(at, at + ROW_BYTES).map((byte, column) => {
            const owner = owners[at + column];
            return (
              <Fragment key={at + column}>
                {" "}
                <span
                  class={owner?.part.origin}
                  title={owner && words().packet.parts[owner.part.name]}
                  data-layer={owner?.part.layer}
                  data-marked={owner !== undefined && owner.index === marked}
                  onMouseEnter={() => onMark(owner?.index ?? null)}
                >
                  {byte}
                </span>
              </Fragment>
            );
          })}
        </div>
      ))}
    </div>
  );
}
