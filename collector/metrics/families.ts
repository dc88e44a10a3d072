import { Counter, Gauge, Registry } from "prom-client";
import { STATES, type SourceStatus } from "../events/event.ts";
import type { PushState } from "../sinks/http-push.ts";
import type { SpoolStats } from "../sinks/spool.ts";
import { VERSION } from "../version.ts";
import { addProcessMetrics } from "./process-metrics.ts";
import type { Counters, KeepalivedTally } from "./tally.ts";

/** What is asked for when the metrics are scraped. */
export interface CollectorView {
  readonly status: () => readonly SourceStatus[];
  readonly pushState: () => PushState;
  readonly spoolStats: () => SpoolStats;
}

type Labels = Record<string, string>;
type Collect = (add: (labels: Labels, value: number) => void) => void;

const OF_INSTANCE = ["iname", "intf", "vrid"];

/** Counters of an instance under the names that the keepalived exporters use; those of the wire are there while it is captured. */
const COUNTERS: readonly (readonly [name: string, of: keyof Counters, by: "wire" | "log", help: string])[] = [
  [
    "advertisements_received_total",
    "advertsReceived",
    "wire",
    "Adverts of others captured for an instance's virtual router",
  ],
  ["advertisements_sent_total", "advertsSent", "wire", "Adverts captured on their way out"],
  [
    "priority_zero_received_total",
    "priorityZeroReceived",
    "wire",
    "Adverts of others with priority 0: a master's orderly end",
  ],
  ["priority_zero_sent_total", "priorityZeroSent", "wire", "Own adverts with priority 0"],
  ["become_master_total", "becameMaster", "log", "Changes to MASTER, by the log"],
  ["release_master_total", "releasedMaster", "log", "Changes from MASTER, by the log, a stop included"],
  [
    "advertisements_interval_errors_total",
    "intervalErrors",
    "log",
    "Adverts refused for their interval, as far as the log says",
  ],
  ["ip_ttl_errors_total", "ttlErrors", "log", "Adverts refused for their TTL or hop limit, as far as the log says"],
  [
    "address_list_errors_total",
    "addressListErrors",
    "log",
    "Adverts refused for their addresses, as far as the log says",
  ],
  ["packet_length_errors_total", "lengthErrors", "log", "Adverts refused for their length, as far as the log says"],
  [
    "invalid_type_received_total",
    "invalidTypes",
    "log",
    "VRRP packets of a type that is no advert, as far as the log says",
  ],
  [
    "authentication_failure_total",
    "authFailures",
    "log",
    "Adverts refused for their password or signature, as far as the log says",
  ],
  [
    "authentication_invalid_total",
    "authInvalids",
    "log",
    "Adverts refused for a type of authentication, or a key, that there is not, as far as the log says",
  ],
  [
    "authentication_mismatch_total",
    "authTypeMismatches",
    "log",
    "Adverts refused for another type of authentication, as far as the log says",
  ],
];

/** Of log files there are several; what else a source says of itself changes as it goes on. */
const sourceLabels = (name: string, detail: string): Labels => ({ source: name, path: name === "log" ? detail : "" });

/** A registry of its own: two collectors in one process do not mix. */
export function createFamilies(tally: KeepalivedTally, view: CollectorView): Registry {
  const register = new Registry();
  const registers = [register];
  addProcessMetrics(register);
  const runs = (name: string): boolean =>
    view.status().some((source) => source.name === name && source.state === "running");
  const labelsOf = ({
    name,
    interface: nic,
    vrid,
  }: {
    name: string;
    interface: string | undefined;
    vrid: number | undefined;
  }) => ({
    iname: name,
    intf: nic ?? "",
    vrid: String(vrid ?? ""),
  });

  gauge(
    "keepalived_up",
    "Whether keepalived's parent and its VRRP process are there and run; absent while its processes are not watched",
    [],
    (add) => {
      if (runs("process")) add({}, Number(tally.isUp()));
    },
  );
  state("keepalived_vrrp_state", "vips", "one series a virtual address");
  state("keepalived_vrrp_excluded_state", "excludedVips", "one series an excluded address");
  counter(
    "keepalived_gratuitous_arp_delay_total",
    "Configured delay of the second burst of gratuitous ARP after a change to MASTER, seconds; no count, whatever its name says",
    OF_INSTANCE,
    (add) => {
      for (const { instance } of tally.instances()) add(labelsOf(instance), instance.garp.masterDelayUs / 1e6);
    },
  );
  for (const [name, of, by, help] of COUNTERS)
    counter(`keepalived_${name}`, help, OF_INSTANCE, (add) => {
      if (by === "wire" && !runs("capture")) return;
      for (const { instance, counters } of tally.instances()) add(labelsOf(instance), counters[of]);
    });
  gauge(
    "keepalived_script_status",
    "Newest verdict on a track script: 1 good, 0 bad; absent until one is logged",
    ["name"],
    (add) => {
      for (const [name, good] of tally.verdicts()) add({ name }, Number(good));
    },
  );

  gauge("keepwatch_build_info", "1, with keepwatch's version", ["version"], (add) => add({ version: VERSION }, 1));
  gauge("keepwatch_collector_source_up", "Whether a source of the collector reads", ["source", "path"], (add) => {
    for (const { name, detail, state: is } of view.status()) add(sourceLabels(name, detail), Number(is === "running"));
  });
  counter(
    "keepwatch_collector_read_total",
    "What a source has read: lines, adverts, files, …",
    ["source", "path"],
    (add) => {
      for (const { name, detail, read } of view.status()) add(sourceLabels(name, detail), read);
    },
  );
  counter(
    "keepwatch_collector_unrecognised_total",
    "What a source read and could make no sense of",
    ["source", "path"],
    (add) => {
      for (const { name, detail, unrecognised } of view.status()) add(sourceLabels(name, detail), unrecognised);
    },
  );
  counter("keepwatch_collector_foreign_adverts_total", "Adverts captured of no configured instance", [], (add) => {
    if (runs("capture")) add({}, tally.foreign());
  });
  gauge("keepwatch_collector_spool_batches", "Batches that the server has not acknowledged", [], (add) =>
    add({}, view.spoolStats().batches),
  );
  gauge(
    "keepwatch_collector_spool_bytes",
    "Bytes of the spool on disk, acknowledged and not yet removed included",
    [],
    (add) => add({}, view.spoolStats().bytes),
  );
  counter("keepwatch_collector_batches_sent_total", "Batches that the server has acknowledged", [], (add) =>
    add({}, view.pushState().sent),
  );
  counter(
    "keepwatch_collector_batches_refused_total",
    "Batches that the server will never take: dead letters",
    [],
    (add) => add({}, view.pushState().deadLettered),
  );
  gauge("keepwatch_collector_server_reachable", "0 while the last attempt to deliver has failed", [], (add) =>
    add({}, Number(view.pushState().trouble === undefined)),
  );
  return register;

  /** Those of an instance without an address as exporters have them: with an empty one. */
  function state(name: string, which: "vips" | "excludedVips", each: string): void {
    gauge(
      name,
      `State of an instance: 0 INIT, 1 BACKUP, 2 MASTER, 3 FAULT; absent where nothing tells it. By the log, else the kernel's addresses, else how the shadow found it; ${each}`,
      [...OF_INSTANCE, "ip_address"],
      (add) => {
        if (runs("process") && !tally.isUp()) return;
        for (const { instance, state: is } of tally.instances()) {
          if (is === undefined) continue;
          const own = labelsOf(instance);
          for (const { address, interface: nic } of instance[which])
            add({ ...own, intf: nic ?? own.intf, ip_address: address }, STATES.indexOf(is));
          if (which === "vips" && instance.vips.length === 0) add({ ...own, ip_address: "" }, STATES.indexOf(is));
        }
      },
    );
  }

  function gauge(name: string, help: string, labelNames: readonly string[], collect: Collect): void {
    const made: Gauge = new Gauge({
      name,
      help,
      labelNames,
      registers,
      collect() {
        made.reset();
        if (labelNames.length === 0) made.remove();
        collect((labels, value) => made.set(labels, value));
      },
    });
  }

  function counter(name: string, help: string, labelNames: readonly string[], collect: Collect): void {
    const made: Counter = new Counter({
      name,
      help,
      labelNames,
      registers,
      collect() {
        made.reset();
        if (labelNames.length === 0) made.remove();
        collect((labels, value) => made.inc(labels, value));
      },
    });
  }
}
