/** What the machine in WebAssembly (assembly/) and its owner agree on. This file is compiled by both. */

/** Longest part of a line that is read, in characters; what is kept of it is shorter still (RAW_MAX_CHARS). keepalived's own lines are a tenth of it. */
export const LINE_MAX_CHARS = 8192;
/** Longest host name kept: the event contract's bound on a node's name. */
export const HOST_MAX_CHARS = 255;
export const INSTANCE_MAX_CHARS = 255;
/** keepalived's numbers are ints. */
export const INT_MAX = 2_147_483_647;

/** Integers of a template in an automaton. */
export const TEMPLATE_INTS = 10;
/** Bytes of the text before the first hole. */
export const HEAD = 0;
/** Fewest bytes a message of this shape has; exactly so many when it has neither gap nor number. */
export const LEAST = 1;
export const IS_LITERAL = 2;
/** The literal at the end: its place in `text` and its length; 0 when it ends in a hole. */
export const TAIL = 3;
export const TAIL_LENGTH = 4;
export const PROGRAM = 5;
export const GAPS = 6;
/** How many pieces follow the head in the first chunk. */
export const FIRST_PIECES = 7;
/** How many holes have a name. */
export const HOLES = 8;
/** 1 when a hole may hold a password or the number of a configuration line. */
export const IS_OPEN = 9;

/** Program: pieces of three integers; before the pieces of each chunk but the first, its gap: [at least, hole or -1, pieces]. */
export const LITERAL = 0;
export const NUMBER = 1;
export const STEP = 3;

/** What a hole may have to hold, as far as the machine tells by itself: a number between bounds, an address, … */
export const CHECK_NUMBER = 1;
export const CHECK_ADDRESS = 2;
/** … an address with or without the length of its prefix, a virtual or real server, a number of seconds. */
export const CHECK_PREFIXED = 3;
export const CHECK_SERVICE = 4;
export const CHECK_DURATION = 5;

/**
 * By template and context, what it means: 1 + the number of what is counted; 0 for what is to be asked, -1 for what
 * depends on the words; -2 and less, -(2 + the place of a decision): how many checks, each of them (hole, CHECK_…, least, most), and
 * the meaning for each set of those that hold, the first check lowest.
 */
export const DECISION_CHECK = 4;

// Where everything stands in the machine's memory. What depends on the size of the grammar is placed by its owner.

/** What the machine stopped at (i32 each): see assembly/index.ts. */
export const REGISTERS = 1024;
export const LINE_FROM = 0;
export const LINE_TO = 1;
export const MESSAGE_FROM = 2;
export const MESSAGE_END = 3;
export const INSTANCE_FROM = 4;
export const INSTANCE_END = 5;
export const HOUR_END = 6;
export const ZONE_FROM = 7;
export const ZONE_END = 8;
export const HOUR_SLOT = 9;
export const TAG_FROM = 10;
export const TAG_END = 11;
export const TAG_SLOT = 12;
export const TEMPLATE = 13;
export const CONTEXT = 14;
export const FILLING = 15;
export const REGISTERS_COUNT = 16;

/** Why it stopped: there is nothing more to read. */
export const DONE = 0;
/** The line is to be read as text, and passed over (`skip`). */
export const LINE = 1;
/** The hour from LINE_FROM to HOUR_END, or a minute of it, with the zone: HOUR_SLOT is to be filled, or the line read as text. */
export const HOUR = 2;
/** The tag from TAG_FROM to TAG_END: TAG_SLOT is to be filled. */
export const TAG = 3;
/** What TEMPLATE means in this CONTEXT, or with this FILLING, -1 for none: `settle` takes the answer. */
export const MEANING = 5;

/** Contexts of a template: a daemon, with and without an instance. */
export const CONTEXTS = 10;

/**
 * By the last digit of an hour: how long its text is (i32), the first and the last of its seconds that are known (i32),
 * the instant of its first (f64), and the text.
 */
export const HOURS = REGISTERS + REGISTERS_COUNT * 4;
export const HOUR_SHIFT = 6;
export const HOUR_SINCE = 4;
export const HOUR_UNTIL = 8;
export const HOUR_BASE = 16;
export const HOUR_TEXT = 24;
const HOURS_END = HOURS + (16 << HOUR_SHIFT);

/** By length and last letter: how long the tag is (i32), whose it is (i32), and its text (at 16). */
export const TAGS = HOURS_END;
export const TAG_BYTES = 16 + 64;
export const TAG_LENGTH_MAX = 64;
export const TAG_WHOSE = 4;
export const TAG_TEXT = 16;
const TAGS_END = TAGS + 256 * TAG_BYTES;

/** The last RFC 3164 time that was read (16 bytes), and its instant (f64). */
export const STAMP = TAGS_END;
export const STAMP_TS = 16;
const STAMP_END = STAMP + 32;

/**
 * Heads of keepalived's lines, from the host to the bracket before the process id: how long it is and how long the host is
 * (u8), the daemon (u8), and the bytes.
 */
export const HEADS = STAMP_END;
export const HEADS_MAX = 256;
export const HEAD_SHIFT = 6;
export const HEAD_HOST = 1;
export const HEAD_DAEMON = 2;
export const HEAD_TEXT = 16;
export const HEAD_TEXT_BYTES_MIN = 16;
export const HEAD_TEXT_BYTES = 48;
const HEADS_END = HEADS + (HEADS_MAX << HEAD_SHIFT);

/**
 * Messages whose meaning is known: their hash (i32), how long they are, where the instance begins and ends in them, and
 * the daemon (u8), 1 + the number of what is counted and the template (i32), and the bytes.
 */
export const MESSAGES = HEADS_END;
export const MESSAGES_MAX = 32_768;
export const MESSAGE_SHIFT = 7;
export const MESSAGE_LENGTH = 4;
export const MESSAGE_INSTANCE_FROM = 5;
export const MESSAGE_INSTANCE_END = 6;
export const MESSAGE_DAEMON = 7;
export const MESSAGE_WHAT = 8;
export const MESSAGE_TEMPLATE = 12;
export const MESSAGE_TEXT = 16;
export const MESSAGE_TEXT_BYTES_MIN = 16;
export const MESSAGE_TEXT_BYTES = 112;
const MESSAGES_END = MESSAGES + (MESSAGES_MAX << MESSAGE_SHIFT);

export const HOLES_MAX = 16;
/** Where each hole's text begins and ends. */
export const STARTS = MESSAGES_END;
export const ENDS = STARTS + 4 * HOLES_MAX;
/** A name on its way to its number, or what is in the holes of a message: at most so many bytes of it. */
export const FILLING_MAX_BYTES = 256;
export const SCRATCH = ENDS + 4 * HOLES_MAX;
export const SCRATCH_BYTES = 1024;

/** Names by number: a header (names.ts), the slots, the entries (where the bytes are, at 4, and how many, at 8), and the bytes of all names together. */
export const HEADER_BYTES = 32;
export const ENTRY_BYTES = 16;
/** What they have room for on an average. */
export const NAME_BYTES = 256;

export const HOSTS = SCRATCH + SCRATCH_BYTES;
export const HOSTS_MAX = 4_096;
const HOSTS_END = HOSTS + HEADER_BYTES + HOSTS_MAX * (2 * 4 + ENTRY_BYTES + NAME_BYTES);

export const INSTANCES = HOSTS_END;
export const INSTANCES_MAX = 16_384;
const INSTANCES_END = INSTANCES + HEADER_BYTES + INSTANCES_MAX * (2 * 4 + ENTRY_BYTES + NAME_BYTES);

export const FILLINGS = INSTANCES_END;
export const FILLINGS_MAX = 32_768;
const FILLINGS_END = FILLINGS + HEADER_BYTES + FILLINGS_MAX * (2 * 4 + ENTRY_BYTES + NAME_BYTES);
/** By filling: 1 + the number of what is counted. */
export const KNOWN_FILLINGS = FILLINGS_END;
const KNOWN_FILLINGS_END = KNOWN_FILLINGS + 4 * FILLINGS_MAX;

/** What is counted: how often (f64), its state or -1 (i32 at 8), and its instance (i32 at 12). */
export const COUNTED = KNOWN_FILLINGS_END;
export const COUNTED_BYTES = 16;
export const COUNTED_STATE = 8;
export const COUNTED_INSTANCE = 12;
/** The instance in front of the message. */
export const OF_LINE = -2;
export const COUNTED_MAX = FILLINGS_MAX + 1_024;
const COUNTED_END = COUNTED + COUNTED_BYTES * COUNTED_MAX;

/** How often an instance of a host said that it is in a state: 1 + the key (i32) and the count (f64 at 8). */
export const STATES = COUNTED_END;
export const STATE_BYTES = 16;
export const STATES_MAX = 65_536;
export const STATES_OF_INSTANCE = 3;
/** What its owner places begins here. */
export const FREE = STATES + STATE_BYTES * STATES_MAX;
