import type { ConfigMessage } from "./message.ts";

/** bfd_instance. */
export const bfdMessages: readonly ConfigMessage[] = [
  {
    code: "config_disabled",
    severity: "instance-lost",
    source: "bfd/bfd_parser.c, bfd/bfd_data.c",
    since: "2.0.0",
    templates: [
      "Configuration error: BFD instance {*} has no {*} address set, disabling instance",
      "Configuration error: BFD instance {*} source address {*} and {*} address {*} are not of the same family, disabling instance",
      "Configuration error: BFD instance {*} has malformed {*} address {*}, ignoring instance",
      "Configuration error: BFD instance {*} has duplicate {*} address {*}, ignoring instance",
      "Configuration error: BFD instance {*} already configured - ignoring",
      "Configuration error: BFD instance {*} has duplicate source/{*} address {*}/{*}, ignoring instance",
    ],
  },
  {
    code: "bfd_name_invalid",
    severity: "degraded",
    source: "bfd/bfd_data.c, bfd/bfd_parser.c",
    since: "2.0.0",
    templates: ["Configuration error: BFD instance {*} name too long (maximum length is {*} characters) - ignoring"],
  },
  {
    code: "bfd_srcip_invalid",
    severity: "degraded",
    source: "bfd/bfd_parser.c",
    since: "2.0.0",
    templates: ["Configuration error: BFD instance {*} has malformed source address {*}, ignoring"],
  },
  {
    code: "bfd_minrx_invalid",
    severity: "degraded",
    source: "bfd/bfd_parser.c",
    since: "2.0.0",
    templates: [
      "Configuration error: BFD instance {*} min_rx value {*} is not valid (must be in range [{*}-{*}]), ignoring",
    ],
  },
  {
    code: "bfd_minrx_unusual",
    severity: "hint",
    source: "bfd/bfd_parser.c",
    since: "2.0.0",
    templates: ["Configuration warning: BFD instance {*} min_rx value {*} is larger than max sensible ({*})"],
  },
  {
    code: "bfd_mintx_invalid",
    severity: "degraded",
    source: "bfd/bfd_parser.c",
    since: "2.0.0",
    templates: [
      "Configuration error: BFD instance {*} min_tx value {*} is not valid (must be in range [{*}-{*}]), ignoring",
    ],
  },
  {
    code: "bfd_mintx_unusual",
    severity: "hint",
    source: "bfd/bfd_parser.c",
    since: "2.0.0",
    templates: ["Configuration warning: BFD instance {*} min_tx value {*} is larger than max sensible ({*})"],
  },
  {
    code: "bfd_idletx_invalid",
    severity: "degraded",
    source: "bfd/bfd_parser.c",
    since: "2.0.0",
    templates: [
      "Configuration error: BFD instance {*} idle_tx value {*} is not valid (must be in range [{*}-{*}]), ignoring",
    ],
  },
  {
    code: "bfd_idletx_unusual",
    severity: "hint",
    source: "bfd/bfd_parser.c",
    since: "2.0.0",
    templates: ["Configuration warning: BFD instance {*} idle_tx value {*} is larger than max sensible ({*})"],
  },
  {
    code: "bfd_multiplier_invalid",
    severity: "degraded",
    source: "bfd/bfd_parser.c",
    since: "2.0.0",
    templates: [
      "Configuration error: BFD instance {*} multiplier value {*} not valid (must be in range [{*}-{*}]), ignoring",
    ],
  },
  {
    code: "bfd_ttl_invalid",
    severity: "degraded",
    source: "bfd/bfd_parser.c",
    since: "2.0.0",
    templates: [
      "Configuration error: BFD instance {*} ttl/hoplimit value {*} not valid (must be in range [1-{*}]), ignoring",
    ],
  },
  {
    code: "bfd_maxhops_invalid",
    severity: "degraded",
    source: "bfd/bfd_parser.c",
    since: "2.0.0",
    templates: [
      "Configuration error: BFD instance {*} max_hops value {*} not valid (must be in range [-1-{*}]), ignoring",
    ],
  },
  {
    code: "bfd_end_invalid",
    severity: "degraded",
    source: "bfd/bfd_parser.c",
    since: "2.0.0",
    templates: ["BFD instance {*}: max_hops exceeds ttl/hoplimit - setting to ttl/hoplimit"],
  },
  {
    code: "bfd_vrrp_weight_invalid",
    severity: "degraded",
    source: "bfd/bfd_parser.c",
    since: "2.0.0",
    templates: [
      "Configuration error: BFD instance {*} weight value {*} not valid (must be in range [{*}-{*}]), ignoring",
      "Configuration error: BFD instance {*} unknown weight option {*}",
    ],
  },
  {
    code: "bfd_multihop_invalid",
    severity: "degraded",
    source: "bfd/bfd_parser.c",
    since: "2.2.8",
    templates: ["Configuration error: BFD instance {*} multihop setting not valid - {*}"],
  },
];
