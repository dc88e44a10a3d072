/** Seeded inputs for the benchmarks: the same bytes on every machine. */

/** mulberry32: small, seedable, the same everywhere. */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const OTHERS = [
  "CRON[2211]: (root) CMD (run-parts /etc/cron.hourly)",
  "systemd[1]: Started Session 4711 of User operator.",
  "sshd[991]: Accepted publickey for operator from 192.0.2.7 port 50122 ssh2",
  "kernel: [81231.22] eth0: link becomes ready",
  "haproxy[812]: 192.0.2.9:41234 [05/Mar/2026:10:00:00.123] www app/app1 0/0/1/3/4 200 512",
];

/** A classic /var/log/messages of `lines` lines, of which `fraction` are keepalived's, in takeovers and failbacks. */
export function messagesLog(lines: number, fraction: number, seed: number): Buffer {
  const random = seededRandom(seed);
  const parts: string[] = [];
  let seconds = Date.UTC(2026, 2, 5, 10, 0, 0) / 1000;
  let queue: string[] = [];
  for (let i = 0; i < lines; i++) {
    if (random() < 0.02) seconds += 1;
    const at = new Date(seconds * 1000);
    const stamp = `${MONTHS[at.getUTCMonth()]} ${String(at.getUTCDate()).padStart(2)} ${at.toISOString().slice(11, 19)}`;
    if (random() < fraction) {
      if (queue.length === 0) queue = story(random);
      parts.push(`${stamp} lb${1 + (i % 4)} ${queue.shift()}\n`);
    } else parts.push(`${stamp} lb1 ${OTHERS[Math.floor(random() * OTHERS.length)]}\n`);
  }
  return Buffer.from(parts.join(""));
}

/** What one takeover, check or link of one of a few hosts and instances writes. */
function story(random: () => number): string[] {
  const pick = (max: number): number => Math.floor(random() * max);
  const instance = `VI_${1 + pick(3)}`;
  const vip = `10.99.0.${100 + pick(100)}`;
  const vrrp = (text: string): string => `Keepalived_vrrp[${815 + pick(5)}]: ${text}`;
  const checker = (text: string): string => `Keepalived_healthcheckers[${901 + pick(5)}]: ${text}`;
  const server = `[10.30.0.${1 + pick(40)}]:tcp:80`;
  const garp = vrrp(`Sending gratuitous ARP on eth0 for ${vip}`);
  switch (pick(6)) {
    case 0:
      return [
        vrrp(`(${instance}) Receive advertisement timeout`),
        vrrp(`(${instance}) Entering MASTER STATE`),
        vrrp(`(${instance}) setting VIPs.`),
        vrrp(`(${instance}) Sending/queueing gratuitous ARPs on eth0 for ${vip}`),
        garp,
        garp,
        garp,
        garp,
        garp,
      ];
    case 1:
      return [
        vrrp(`(${instance}) Master received advert from 10.99.0.11 with higher priority ${101 + pick(100)}, ours 100`),
        vrrp(`(${instance}) Entering BACKUP STATE`),
        vrrp(`(${instance}) removing VIPs.`),
      ];
    case 2:
      return [
        vrrp("VRRP_Script(chk_nginx) failed (exited with status 1)"),
        vrrp(`(${instance}) Changing effective priority from 150 to ${100 + pick(50)}`),
      ];
    case 3:
      return [
        checker(`TCP connection to ${server} failed.`),
        checker(`Removing service ${server} from VS [${vip}]:tcp:80`),
        checker(`Adding service ${server} to VS [${vip}]:tcp:80`),
      ];
    case 4:
      return [
        vrrp("Netlink reports eth0 down"),
        vrrp(`(${instance}) Entering FAULT STATE`),
        vrrp(`(${instance}) sent 0 priority`),
      ];
    default:
      return [
        `Keepalived[${700 + pick(5)}]: Starting Keepalived v2.2.7 (01/16,2022)`,
        vrrp(`(${instance}) Entering BACKUP STATE (init)`),
        vrrp(`(${instance}) Backup received priority 0 advertisement`),
      ];
  }
}

const ETHERNET = Buffer.from("01005e00001202000000000b0800", "hex");

/** A pcap of VRRPv2 adverts on Ethernet, one a second from each of 64 virtual routers, with right checksums. */
export function vrrpCapture(adverts: number): Buffer {
  const header = Buffer.alloc(24);
  header.writeUInt32LE(0xa1b2c3d4, 0);
  header.writeUInt16LE(2, 4);
  header.writeUInt16LE(4, 6);
  header.writeUInt32LE(262144, 16);
  header.writeUInt32LE(1, 20);
  const frame = advertFrame();
  const record = Buffer.alloc(16 + frame.length);
  const out = Buffer.alloc(header.length + adverts * record.length);
  header.copy(out);
  record.writeUInt32LE(frame.length, 8);
  record.writeUInt32LE(frame.length, 12);
  frame.copy(record, 16);
  const vrrp = 16 + 14 + 20;
  for (let i = 0; i < adverts; i++) {
    record.writeUInt32LE(1_772_704_800 + Math.floor(i / 64), 0);
    record.writeUInt32LE((i % 64) * 15_000, 4);
    record[vrrp + 1] = 1 + (i % 64);
    record.writeUInt16BE(0, vrrp + 6);
    record.writeUInt16BE(internetChecksum(record.subarray(vrrp, vrrp + 20)), vrrp + 6);
    record.copy(out, header.length + i * record.length);
  }
  return out;
}

function advertFrame(): Buffer {
  const ip = Buffer.from("45c0002800010000ff7000000a63000be0000012", "hex");
  ip.writeUInt16BE(internetChecksum(ip), 10);
  const vrrp = Buffer.from("213396010001000000000000" + "0000000000000000", "hex");
  Buffer.from([10, 99, 0, 100]).copy(vrrp, 8);
  return Buffer.concat([ETHERNET, ip, vrrp]);
}

export function internetChecksum(bytes: Buffer): number {
  let sum = 0;
  for (let i = 0; i + 1 < bytes.length; i += 2) sum += bytes.readUInt16BE(i);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}
