import type { DiagnosticCode } from "./code.ts";

/** Faults of the way from the start command to the configuration and the log: the text of the file may be perfect. */
export const chainCodes: readonly DiagnosticCode[] = [
  {
    code: "unit_not_found",
    severity: "fatal",
    title: "nothing starts keepalived",
    explanation: "There is neither a systemd unit nor a start script for keepalived, and no daemon is running.",
    fix: "Install the package's unit, or give the unit's name when it is another one.",
  },
  {
    code: "unit_masked",
    severity: "fatal",
    title: "the unit is masked",
    explanation:
      "The unit file that counts is a link to /dev/null or empty. systemd refuses to start it, and passes over every other file of that name.",
    fix: "systemctl unmask keepalived.",
  },
  {
    code: "unit_not_enabled",
    severity: "hint",
    title: "the unit is not started at boot",
    explanation: "No target wants the unit. It runs when somebody starts it, and is missing after the next boot.",
    fix: "systemctl enable keepalived.",
  },
  {
    code: "unit_several_exec_start",
    severity: "fatal",
    title: "ExecStart= twice",
    explanation:
      "A drop-in adds to ExecStart= instead of replacing it. Only Type=oneshot may have several: systemd refuses the whole unit.",
    fix: "Put an empty ExecStart= before the new one in the drop-in.",
  },
  {
    code: "unit_exec_start_invalid",
    severity: "fatal",
    title: "an ExecStart= that systemd cannot read",
    explanation:
      "A quote that is not closed, or a program without an absolute path: systemd notes it in its own log and refuses the whole unit.",
    fix: "Close the quote, or give the program's absolute path.",
  },
  {
    code: "unit_no_exec_start",
    severity: "fatal",
    title: "no command that starts keepalived",
    explanation:
      "After the last empty ExecStart= there is no other, or no command of the start script names keepalived: nothing is started.",
    fix: "Give the unit an ExecStart= with keepalived's absolute path.",
  },
  {
    code: "condition_hides_start",
    severity: "fatal",
    title: "a condition lets the start pass without starting",
    explanation:
      "systemd skips a unit whose Condition fails and reports success; a start script that tests for a file exits, often with 0. Nothing runs, and keepalived logs nothing.",
    fix: "Create the file that is tested for, or change the condition.",
  },
  {
    code: "condition_tests_other_file",
    severity: "hint",
    title: "the condition tests another file than the one that is read",
    explanation:
      "The condition looks at the default path, while -f names another file. When the default file is emptied or removed, the daemon is not started although its own configuration is there.",
    fix: "In a drop-in, empty the condition and test the file that is read.",
  },
  {
    code: "environment_file_missing",
    severity: "fatal",
    title: "a required environment file is missing",
    explanation:
      "EnvironmentFile= without a dash, or a script that reads the file unasked: without it the start fails, or the shell ends.",
    fix: "Create the file, or put a dash before its path.",
  },
  {
    code: "environment_options_lost",
    severity: "degraded",
    title: "the file with the options is missing",
    explanation:
      "The command line takes its options from a variable, and the optional file that should set it does not exist. keepalived starts with none: no -D, the default configuration.",
    fix: "Create the file, or write the options into the unit.",
  },
  {
    code: "environment_variable_unused",
    severity: "degraded",
    title: "options in a variable nobody uses",
    explanation:
      "Debian's unit and script use DAEMON_ARGS, upstream's and Red Hat's KEEPALIVED_OPTIONS. Options in the other one are never seen by the daemon, and nothing is said.",
    fix: "Rename the variable to the one that ExecStart= or the script uses.",
  },
  {
    code: "environment_export_ignored",
    severity: "degraded",
    title: "export in an environment file",
    explanation:
      "systemd is no shell: it takes `export NAME` for an invalid name and drops the line. The same file works with an init script.",
    fix: "Write NAME=value without export.",
  },
  {
    code: "environment_not_expanded",
    severity: "degraded",
    title: "a variable inside an environment file",
    explanation: "systemd does not expand variables in the file's values: keepalived is given the dollar sign.",
    fix: "Write the value out.",
  },
  {
    code: "environment_comment_is_value",
    severity: "degraded",
    title: "a comment behind a value",
    explanation:
      "In an environment file # only begins a comment at the start of a line. Behind a value it is part of it, and its words become arguments; a word with a dash becomes options.",
    fix: "Put the comment on a line of its own.",
  },
  {
    code: "option_unknown",
    severity: [
      ["1.2.2", "degraded"],
      ["1.2.9", "fatal"],
    ],
    title: "an option this keepalived does not know",
    explanation:
      "keepalived prints one line on stderr and exits before it opens the log: with 0 up to 1.4.0, with 1 from 1.4.1. Up to 1.2.8 it silently ignores the option and everything behind it.",
    fix: "Check it against keepalived -h of this machine; what a release or build lacks is listed there.",
  },
  {
    code: "option_missing_value",
    severity: "fatal",
    title: "an option without its value",
    explanation: "keepalived prints one line on stderr and exits.",
    fix: "Give the value, behind a blank or an equals sign.",
  },
  {
    code: "option_value_ignored",
    severity: "degraded",
    title: "an option's value that is not taken",
    explanation: "keepalived prints a line on stderr and goes on with the default.",
    fix: "Correct the value.",
  },
  {
    code: "argument_unexpected",
    severity: "hint",
    title: "a word that belongs to no option",
    explanation: "keepalived prints it on stdout and goes on. Usually a blank too many, a comment, or a lost dash.",
    fix: "Remove it, or put the dash back.",
  },
  {
    code: "option_ends_start",
    severity: "fatal",
    title: "an option that does something else than start the daemon",
    explanation:
      "-t checks the configuration and exits, -v and -h print and exit, --signum prints a number, -T is the genhash tool. Left in the options, the daemon never runs; -t even exits with 0.",
    fix: "Remove it from the options.",
  },
  {
    code: "config_file_missing",
    severity: [
      ["1.2.2", "instance-lost"],
      ["1.2.21", "fatal"],
    ],
    title: "the configuration file does not exist or cannot be read",
    explanation:
      "The daemon stops at once; up to 2.0.8 with exit status 0. Up to 1.2.20 it stays alive and runs nothing. A file with an execute bit or a directory counts as missing.",
    fix: "Check the path that is really read, its mode, and that it is a regular file.",
  },
  {
    code: "config_file_not_read",
    severity: "degraded",
    title: "this is not the file the daemon reads",
    explanation:
      "The command line, or the path compiled into the binary, names another file. Edits of this one change nothing.",
    fix: "Edit the file that is read, or change -f.",
  },
  {
    code: "config_default_not_read",
    severity: "hint",
    title: "the default file is there, and is not read",
    explanation: "-f names another file. Whoever edits the default file at three in the morning changes nothing.",
    fix: "Remove the default file, or let it hold nothing but a comment that names the real one.",
  },
  {
    code: "config_build_default",
    severity: "degraded",
    title: "a binary with a default path of its own",
    explanation:
      "From 2.2.0 on a build without --sysconfdir=/etc looks below its prefix, /usr/local/etc/keepalived/keepalived.conf: the file in /etc/keepalived is not read.",
    fix: "Give -f /etc/keepalived/keepalived.conf, or build with --sysconfdir=/etc.",
  },
  {
    code: "config_deprecated_path",
    severity: "hint",
    title: "read from the deprecated default path",
    explanation:
      "The default file of this build is missing, and the old one is read instead. As soon as the default file appears, the old one is no longer read.",
    fix: "Move the file to the build's default path.",
  },
  {
    code: "config_path_relative",
    severity: "hint",
    title: "-f with a relative path",
    explanation:
      "The path is taken from the directory keepalived is started in, / under systemd. Once in the background the daemon works in /, and a reload looks for the file there.",
    fix: "Give an absolute path.",
  },
  {
    code: "config_newer_than_daemon",
    severity: "hint",
    title: "the file is newer than the daemon",
    explanation:
      "The file was changed after the daemon was started. Unless it was reloaded since, the running configuration is an older one.",
    fix: "Look for a Reloading line after the change, or reload.",
  },
  {
    code: "subsystem_hidden",
    severity: "instance-lost",
    title: "an option keeps a configured subsystem from starting",
    explanation:
      "-P starts no health checker, -C no VRRP, -B no BFD. The blocks of that subsystem are read over without a message.",
    fix: "Remove the option, or the blocks.",
  },
  {
    code: "nothing_started",
    severity: [
      ["1.2.2", "instance-lost"],
      ["2.0.0", "fatal"],
    ],
    title: "no subsystem is left to start",
    explanation:
      "What the configuration has and what the options allow have nothing in common: the daemon stays alive without a child, and a notifying unit times out.",
    fix: "Remove -P, -C or -B, or check that this is the right file.",
  },
  {
    code: "log_facility_not_collected",
    severity: "degraded",
    title: "no syslog rule collects the facility",
    explanation:
      "The lines reach the syslog daemon and are written nowhere: an empty log although everything works. Under systemd they are in the journal.",
    fix: "Add a rule for the facility, such as local0.* /var/log/keepalived.log, or remove -S.",
  },
  {
    code: "log_rule_misses_children",
    severity: "hint",
    title: "a syslog rule that only takes the parent's lines",
    explanation:
      "The rule compares the program with Keepalived. State changes come from Keepalived_vrrp, health checks from Keepalived_healthcheckers, and with a namespace or instance name there is a suffix.",
    fix: "Use startswith instead of isequal.",
  },
  {
    code: "log_nowhere",
    severity: "degraded",
    title: "the log is written nowhere",
    explanation: "-G without -g or -l turns every message off, configuration errors included.",
    fix: "Remove -G, or add -g FILE.",
  },
  {
    code: "log_console_unseen",
    severity: "hint",
    title: "-l without -n",
    explanation: "The console log goes to stderr, which the daemon closes when it goes to the background.",
    fix: "Add -n, or remove -l.",
  },
  {
    code: "log_no_detail",
    severity: "hint",
    title: "no -D: most of the timeline is missing",
    explanation:
      "Without -D keepalived does not log why it became master, the addresses it sets and removes, gratuitous ARP, or a master's resignation.",
    fix: "Add -D to the options.",
  },
  {
    code: "log_dump_shows_secrets",
    severity: "degraded",
    title: "-d writes passwords to the log",
    explanation:
      "The configuration is dumped into the log at every start and reload: hundreds of lines, with each auth_pass in clear text up to 2.3.4.",
    fix: "Remove -d; use SIGUSR1 when a dump is needed.",
  },
  {
    code: "pid_file_in_use",
    severity: "fatal",
    title: "the pid file names a living process",
    explanation:
      "Up to 2.3.1 keepalived only asks whether the process exists, not what it is: it logs that the daemon is already running and exits with 0.",
    fix: "Stop the other daemon, or remove the stale file; give a second daemon its own -p, -r, -c and -b.",
  },
  {
    code: "pid_file_stale",
    severity: "hint",
    title: "the pid file of a dead process",
    explanation: "keepalived removes it at the next start, unless another process has been given the number by then.",
    fix: "Remove the file; find out why the daemon ended without doing so.",
  },
  {
    code: "pid_file_mismatch",
    severity: "fatal",
    title: "-p and PIDFile= differ",
    explanation:
      "With Type=forking systemd waits for PIDFile=, which never appears: the start times out, and the daemon is killed.",
    fix: "Give both the same path.",
  },
  {
    code: "service_foreground_in_forking",
    severity: "fatal",
    title: "-n with Type=forking",
    explanation:
      "systemd waits for the start command to end, and with -n it does not: after TimeoutStartSec the running daemon is killed, again and again.",
    fix: "Remove -n, or set Type=notify (Type=simple for a build without SYSTEMD_NOTIFY).",
  },
  {
    code: "service_forks_in_foreground_type",
    severity: "fatal",
    title: "no -n with a Type= that expects the foreground",
    explanation:
      "The process systemd started ends as soon as the daemon is in the background. systemd takes the service for ended, and kills what is left of it.",
    fix: "Add --dont-fork to ExecStart=, or set Type=forking with PIDFile=.",
  },
  {
    code: "service_notify_unsupported",
    severity: "fatal",
    title: "Type=notify with a build that never notifies",
    explanation: "systemd waits for READY=1 until TimeoutStartSec, then kills the running daemon.",
    fix: "Set Type=simple and keep --dont-fork, or use a build with SYSTEMD_NOTIFY.",
  },
  {
    code: "service_kill_mode_none",
    severity: "degraded",
    title: "KillMode=none",
    explanation:
      "systemctl stop ends nothing: the daemon goes on with its addresses, and the next start finds its pid file.",
    fix: "Remove KillMode=none.",
  },
  {
    code: "service_no_restart",
    severity: "hint",
    title: "-R, and nothing starts the daemon again",
    explanation: "With -R the daemon ends when a child dies. Without Restart= the node then stays without VRRP.",
    fix: "Remove -R, or set Restart=on-failure.",
  },
  {
    code: "service_restart_without_effect",
    severity: "hint",
    title: "Restart=on-failure with a release that exits with 0",
    explanation:
      "Up to 2.2.4 a daemon that ends for a permanent error exits with 0, which is no failure: it is not started again.",
    fix: "Set Restart=always.",
  },
  {
    code: "namespace_missing",
    severity: "fatal",
    title: "-s names a network namespace that does not exist",
    explanation: "The daemon cannot enter it, and ends.",
    fix: "Create it before keepalived is started (ip netns add), in a unit that keepalived's comes after.",
  },
  {
    code: "addresses_kept_on_stop",
    severity: "hint",
    title: "-V leaves the virtual addresses behind",
    explanation: "On a stop the addresses and routes stay. The peer takes over, and the address is there twice.",
    fix: "Remove -V, unless something else removes the addresses.",
  },
  {
    code: "daemon_options_differ",
    severity: "degraded",
    title: "the running daemon was started with other options",
    explanation:
      "Its command line is not what the unit or script would give it today: it was started by hand, or the options were changed since.",
    fix: "Restart it when a takeover is acceptable.",
  },
  {
    code: "daemon_child_missing",
    severity: "instance-lost",
    title: "the running daemon lacks a child",
    explanation: "The configuration needs a subsystem whose process is not there: it died, or was never started.",
    fix: "Look for the child's last lines in the log; a child that keeps dying is logged as Respawning.",
  },
  {
    code: "daemon_twice",
    severity: "degraded",
    title: "two daemons in one network namespace",
    explanation:
      "Both answer for the same addresses when their configurations overlap, and stop or reload by pid file reaches only one.",
    fix: "Stop one, or give it a namespace, an instance name and pid files of its own.",
  },
];
