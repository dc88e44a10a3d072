/**
 * How keepalived reads what follows a keyword's `{`: keywords of its own, or a list with an entry a line. Any other
 * keyword opens no block: its `{` is ignored, and its `}` ends the block around it.
 */
export type BlockShape = "keywords" | "list";

type Blocks = Readonly<Record<string, BlockShape>>;

const TRACKED: Blocks = {
  track_interface: "list",
  track_script: "list",
  track_file: "list",
  track_process: "list",
  track_bfd: "list",
};

const HTTP: Blocks = { url: "keywords" };

/** Blocks by the keyword of the block around them; "" is the top level. (keepalived up to 2.4.3) */
const BLOCKS: Readonly<Record<string, Blocks>> = {
  "": {
    global_defs: "keywords",
    SSL: "keywords",
    vrrp_sync_group: "keywords",
    vrrp_instance: "keywords",
    vrrp_script: "keywords",
    vrrp_track_process: "keywords",
    vrrp_track_file: "keywords",
    track_file: "keywords",
    track_group: "keywords",
    garp_group: "keywords",
    bfd_instance: "keywords",
    virtual_server: "keywords",
    virtual_server_group: "list",
    static_ipaddress: "list",
    static_routes: "list",
    static_rules: "list",
    linkbeat_interfaces: "list",
    interface_up_down_delays: "list",
  },
  global_defs: { notification_email: "list" },
  vrrp_sync_group: { group: "list", ...TRACKED },
  track_group: { group: "list" },
  garp_group: { interfaces: "list" },
  vrrp_instance: {
    authentication: "keywords",
    auth_hmac: "keywords",
    virtual_ipaddress: "list",
    virtual_ipaddress_excluded: "list",
    virtual_routes: "list",
    virtual_rules: "list",
    unicast_peer: "list",
    ...TRACKED,
  },
  virtual_server: { real_server: "keywords" },
  real_server: {
    TCP_CHECK: "keywords",
    HTTP_GET: "keywords",
    SSL_GET: "keywords",
    SMTP_CHECK: "keywords",
    MISC_CHECK: "keywords",
    DNS_CHECK: "keywords",
    BFD_CHECK: "keywords",
    UDP_CHECK: "keywords",
    PING_CHECK: "keywords",
    FILE_CHECK: "keywords",
  },
  HTTP_GET: HTTP,
  SSL_GET: HTTP,
  SMTP_CHECK: { host: "keywords" },
};

const TABLE: ReadonlyMap<string, ReadonlyMap<string, BlockShape>> = new Map(
  Object.entries(BLOCKS).map(([outer, inner]) => [outer, new Map(Object.entries(inner))]),
);

const NAMES: ReadonlySet<string> = new Set(Object.values(BLOCKS).flatMap((inner) => Object.keys(inner)));

/** @returns undefined when the keyword opens no block here */
export function shapeOf(outer: string, keyword: string): BlockShape | undefined {
  return TABLE.get(outer)?.get(keyword);
}

/** Whether it names a block somewhere. */
export function isBlockName(keyword: string): boolean {
  return NAMES.has(keyword);
}
