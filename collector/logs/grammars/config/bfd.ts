import type { ConfigMessage } from "./message.ts";

/** bfd_instance. */
export const bfdMessages: readonly ConfigMessage[] = [
  {
    code: "config_disabled",
    severity: "instance-lost",
    source: "bfd/bfd_parser.c, bfd/bfd_data.c",
    since: "2.0.0",
    templates: [
      "Configuration error: BFD instance {*bfd} has no {*keyword} address set, disabling instance",
      "Configuration error: BFD instance {*bfd} source address {*address} and {*keyword} address {*otherAddress} are not of the same family, disabling instance",
      "Configuration error: BFD instance {*bfd} has malformed {*keyword} address {*value}, ignoring instance",
      "Configuration error: BFD instance {*bfd} has duplicate {*keyword} address {*address}, ignoring instance",
      "Configuration error: BFD instance {*bfd} already configured - ignoring",
      "Configuration error: BFD instance {*bfd} has duplicate source/{*keyword} address {*address}/{*otherAddress}, ignoring instance",
    ],
  },
  {
    code: "bfd_name_invalid",
    severity: "degraded",
    source: "bfd/bfd_data.c, bfd/bfd_parser.c",
    since: "2.0.0",
    templates: [
      "Configuration error: BFD instance {*bfd} name too long (maximum length is {*maximum} characters) - ignoring",
    ],
  },
  {
    code: "bfd_srcip_invalid",
    severity: "degraded",
    source: "bfd/bfd_parser.c",
    since: "2.0.0",
    templates: ["Configuration error: BFD instance {*bfd} has malformed source address {*value}, ignoring"],
  },
  {
    code: "bfd_minrx_invalid",
    severity: "degraded",
    source: "bfd/bfd_parser.c",
    since: "2.0.0",
    templates: [
      "Configuration error: BFD instance {*bfd} min_rx value {*value} is not valid (must be in range [{*minimum}-{*maximum}]), ignoring",
    ],
  },
  {
    code: "bfd_minrx_unusual",
    severity: "hint",
    source: "bfd/bfd_parser.c",
    since: "2.0.0",
    templates: [
      "Configuration warning: BFD instance {*bfd} min_rx value {*value} is larger than max sensible ({*maximum})",
    ],
  },
  {
    code: "bfd_mintx_invalid",
    severity: "degraded",
    source: "bfd/bfd_parser.c",
    since: "2.0.0",
    templates: [
      "Configuration error: BFD instance {*bfd} min_tx value {*value} is not valid (must be in range [{*minimum}-{*maximum}]), ignoring",
    ],
  },
  {
    code: "bfd_mintx_unusual",
    severity: "hint",
    source: "bfd/bfd_parser.c",
    since: "2.0.0",
    templates: [
      "Configuration warning: BFD instance {*bfd} min_tx value {*value} is larger than max sensible ({*maximum})",
    ],
  },
  {
    code: "bfd_idletx_invalid",
    severity: "degraded",
    source: "bfd/bfd_parser.c",
    since: "2.0.0",
    templates: [
      "Configuration error: BFD instance {*bfd} idle_tx value {*value} is not valid (must be in range [{*minimum}-{*maximum}]), ignoring",
    ],
  },
  {
    code: "bfd_idletx_unusual",
    severity: "hint",
    source: "bfd/bfd_parser.c",
    since: "2.0.0",
    templates: [
      "Configuration warning: BFD instance {*bfd} idle_tx value {*value} is larger than max sensible ({*maximum})",
    ],
  },
  {
    code: "bfd_multiplier_invalid",
    severity: "degraded",
    source: "bfd/bfd_parser.c",
    since: "2.0.0",
    templates: [
      "Configuration error: BFD instance {*bfd} multiplier value {*value} not valid (must be in range [{*minimum}-{*maximum}]), ignoring",
    ],
  },
  {
    code: "bfd_ttl_invalid",
    severity: "degraded",
    source: "bfd/bfd_parser.c",
    since: "2.0.0",
    templates: [
      "Configuration error: BFD instance {*bfd} ttl/hoplimit value {*value} not valid (must be in range [1-{*maximum}]), ignoring",
    ],
  },
  {
    code: "bfd_maxhops_invalid",
    severity: "degraded",
    source: "bfd/bfd_parser.c",
    since: "2.0.0",
    templates: [
      "Configuration error: BFD instance {*bfd} max_hops value {*value} not valid (must be in range [-1-{*maximum}]), ignoring",
    ],
  },
  {
    code: "bfd_end_invalid",
    severity: "degraded",
    source: "bfd/bfd_parser.c",
    since: "2.0.0",
    templates: ["BFD instance {*bfd}: max_hops exceeds ttl/hoplimit - setting to ttl/hoplimit"],
  },
  {
    code: "bfd_vrrp_weight_invalid",
    severity: "degraded",
    source: "bfd/bfd_parser.c",
    since: "2.0.0",
    templates: [
      "Configuration error: BFD instance {*bfd} weight value {*value} not valid (must be in range [{*minimum}-{*maximum}]), ignoring",
      "Configuration error: BFD instance {*bfd} unknown weight option {*value}",
    ],
  },
  {
    code: "bfd_multihop_invalid",
    severity: "degraded",
    source: "bfd/bfd_parser.c",
    since: "2.2.8",
    templates: ["Configuration error: BFD instance {*bfd} multihop setting not valid - {*value}"],
  },
];
