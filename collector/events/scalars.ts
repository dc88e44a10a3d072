import type { TEnum, TSchema } from "typebox";
import { Type } from "../core/schema.ts";
import { DAEMONS, FAMILIES } from "./vocabulary.ts";

/** What the fields of events are made of. */

/** The type is spelled out: inferred in this generic context it would widen to any string or number. */
export const oneOf = <const T extends readonly string[]>(values: T) =>
  Type.Enum([...values]) as TSchema as TEnum<[...T]>;
export const text = (max: number, description?: string) =>
  Type.String({ maxLength: max, ...(description ? { description } : {}) });
export const opt = Type.Optional;

export const Name = text(255);
export const Address = text(45, "IPv4 or IPv6 address, no prefix, IPv6 in RFC 5952 form");
export const Vrid = Type.Integer({ minimum: 1, maximum: 255 });
export const Priority = Type.Integer({ minimum: 0, maximum: 255 });
export const Pid = Type.Integer({ minimum: 0 });
/** Up to the year 2255: beyond it a double is not exact to the microsecond. */
export const Epoch = Type.Integer({
  minimum: 0,
  maximum: Number.MAX_SAFE_INTEGER,
  description: "microseconds since the epoch, UTC",
});
export const Signed = Type.Integer({ minimum: Number.MIN_SAFE_INTEGER, maximum: Number.MAX_SAFE_INTEGER });
export const Addresses = Type.Array(Address, { maxItems: 512 });
/** `[10.99.0.100]:80`, `[10.99.0.100]:53/udp`, `FWM 7`, `[group]:0`: one name for what each release writes in its own way. */
export const Service = text(
  255,
  "[address]:port, with /udp or /sctp behind it when it is not TCP; FWM n; or [group]:n",
);
export const Mac = Type.String({ pattern: "^[0-9a-f]{2}(:[0-9a-f]{2}){5}$" });
export const Unsigned32 = Type.Integer({ minimum: 0, maximum: 0xffff_ffff });
export const Errno = Type.Integer({ minimum: 0, maximum: 4095 });
export const ExitStatus = Type.Integer({ minimum: 0, maximum: 255 });
export const Signal = Type.Integer({ minimum: 1, maximum: 64 });
export const FamilyT = oneOf(FAMILIES);
export const DaemonT = oneOf(DAEMONS);
