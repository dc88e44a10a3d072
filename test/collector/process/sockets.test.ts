import { describe, expect, test } from "vitest";
import { parseRawSockets, type RawSocket, UnreadSockets } from "../../../collector/process/sockets.ts";

const RAW = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops
 116: 00000000:0070 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 3814220 2 00000000ebf0fcac 0
 116: 120000E0:0070 00000000:0000 07 00000000:00001040 00:00000000 00000000     0        0 3814219 2 0000000074449819 17
   1: 00000000:0001 00000000:0000 07 00000000:00000900 00:00000000 00000000     0        0 39 2 0000000074449820 0
`;

describe("/proc/net/raw", () => {
  test("the sockets of VRRP, with what waits in them and what was lost", () => {
    expect(parseRawSockets(RAW)).toEqual([
      { inode: 3814220, waitingBytes: 0, dropped: 0 },
      { inode: 3814219, waitingBytes: 0x1040, dropped: 17 },
    ]);
  });

  test.each([
    ["with an authentication header", RAW.replaceAll(":0070", ":0033"), 2],
    ["of IPv6", RAW.replace("120000E0", "000002FF000000000000000012000000"), 2],
    ["nothing", "", 0],
    ["something else", "a b c\n: : : :\n 1: x:0070 y z 1:zz\n", 0],
  ])("%s", (_, text, count) => expect(parseRawSockets(text)).toHaveLength(count));
});

describe("adverts that are not read", () => {
  const S = 1_000_000;
  const waits = (waitingBytes: number, dropped = 0): RawSocket[] => [{ inode: 1, waitingBytes, dropped }];

  test("are told once they only became more for three seconds, since the look before the first", () => {
    const unread = new UnreadSockets();
    const told = [0, 768, 1536, 2304, 3072, 3072].map((bytes, second) => unread.look(waits(bytes, second), second * S));
    expect(told).toEqual([
      undefined,
      undefined,
      undefined,
      { unread: true, atUs: 0, uncertaintyUs: S, waitingBytes: 2304, dropped: 3 },
      undefined,
      undefined,
    ]);
  });

  test("are read again when nothing waits, or less", () => {
    for (const rest of [0, 100]) {
      const unread = new UnreadSockets();
      for (const second of [0, 1, 2, 3, 4]) unread.look(waits(768 * second), second * S);
      expect(unread.look(waits(rest), 5 * S)).toEqual({
        unread: false,
        atUs: 4 * S,
        uncertaintyUs: S,
        waitingBytes: rest,
        dropped: 0,
      });
    }
  });

  test("are none of a daemon that is caught reading at each look", () => {
    const unread = new UnreadSockets();
    for (let second = 0; second < 20; second += 1)
      expect(unread.look(waits(768 * (1 + (second % 2))), second * S)).toBe(undefined);
  });

  test("are of one socket: another one is another one", () => {
    const unread = new UnreadSockets();
    for (let second = 0; second < 20; second += 1)
      expect(unread.look([{ inode: second, waitingBytes: 768, dropped: 0 }], second * S)).toBe(undefined);
  });
});
