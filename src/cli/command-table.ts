/** Option of a command. */
export interface OptionSpec {
  /** Without the dashes. */
  readonly name: string;
  readonly short?: string;
  /** Placeholder of its value; absent: the option is a switch. */
  readonly value?: string;
  readonly summary: string;
}

/** Command: from this table come the parser, the help, and docs/guide/command.md. */
export interface CommandSpec {
  readonly name: string;
  /** Operands as the help shows them, optional ones in brackets. */
  readonly operands?: readonly string[];
  readonly summary: string;
  /** Paragraphs of the help. */
  readonly details?: readonly string[];
  readonly options: readonly OptionSpec[];
  readonly examples?: readonly string[];
}

const JSON_LINES: OptionSpec = {
  name: 'json',
  summary: 'data as NDJSON on standard output, a failure too',
};

/** Options of every command. */
export const COMMON_OPTIONS: readonly OptionSpec[] = [
  { name: 'data-dir', value: 'DIR', summary: 'directory of the account’s store' },
  { name: 'key-file', value: 'FILE', summary: 'file with the 32 bytes that encrypt the store' },
  { name: 'staging', summary: 'Signal’s staging service in place of the real one' },
  { name: 'help', short: 'h', summary: 'this text' },
];

const YES: OptionSpec = { name: 'yes', short: 'y', summary: 'do not ask' };

const TABLE = [
  {
    name: 'link',
    summary: 'links this machine to the account of a phone, which scans a code',
    details: [
      'A new code comes every 45 seconds, for ten minutes. Where no person sees standard error, the URL of the code is written to standard output. The guide on accounts says what a linked device may not do.',
      'With --json each step is a line: "url" with its "expiresAt", again for each new code; "scanned" when the phone has sent the account; "linked" at the end.',
      'A link that was cut off is finished by running the command again; it needs no code then.',
    ],
    options: [
      { name: 'name', value: 'NAME', summary: 'name of this device on the phone' },
      { name: 'png', value: 'FILE', summary: 'write each code to FILE too' },
      { name: 'svg', value: 'FILE', summary: 'write each code to FILE too' },
      JSON_LINES,
    ],
    examples: ['sealcast link --name newsletter', 'sealcast link --json | jq -r .url'],
  },
  {
    name: 'register',
    operands: ['NUMBER'],
    summary: 'begins to register a phone number, with this machine as its primary device',
    details: [
      'Where the number has an account, registering takes it over, and throws its devices out at once: the command asks first. Then "captcha" and "code" follow, each when its part is there.',
    ],
    options: [YES, JSON_LINES],
  },
  {
    name: 'captcha',
    summary: 'hands in the captcha of a registration, and has a code sent',
    details: ['The captcha is asked for, or read from standard input: it is in no argument.'],
    options: [{ name: 'voice', summary: 'a call in place of a text message' }, JSON_LINES],
  },
  {
    name: 'code',
    summary: 'hands in the code of a registration, and registers the account',
    details: [
      'The code is asked for, or is the first line of standard input. A number with a registration lock needs its PIN too: it is asked for, or is the second line.',
    ],
    options: [JSON_LINES],
  },
  {
    name: 'import',
    summary: 'moves an account of signal-cli here, or copies its contacts',
    details: [
      'Stop signal-cli before. A move ends with a mark, after which signal-cli no longer finds the account; a move that was cut off is finished by running the command again. SQLite comes from Node.js 22.13 and newer, or from the package node-sqlite3-wasm.',
    ],
    options: [
      { name: 'from', value: 'DIR', summary: 'folder of signal-cli (default: its own default)' },
      { name: 'number', value: 'NUMBER', summary: 'account, where there are several' },
      { name: 'contacts-only', summary: 'profile keys, timers and blocks alone' },
      YES,
      JSON_LINES,
    ],
    examples: ['sealcast import --contacts-only'],
  },
  {
    name: 'account',
    summary: 'shows the account of the store, without a connection',
    options: [JSON_LINES],
  },
  {
    name: 'devices',
    summary: 'lists the devices of the account',
    options: [JSON_LINES],
  },
  {
    name: 'unlink',
    operands: ['[DEVICE]'],
    summary: 'removes this device from the account, or another one where this is the primary',
    options: [YES, JSON_LINES],
  },
  {
    name: 'contacts',
    summary: 'lists the contacts of the store, and whether each can be sealed to',
    options: [JSON_LINES],
  },
  {
    name: 'list',
    operands: ['[ACTION]', '[NAME]', '[MEMBER|FILE]'],
    summary: 'shows the lists of subscribers in the store, or changes one of them',
    details: [
      '"list" alone shows the lists. "list show NAME" shows its members, "list add NAME ACI" and "list remove NAME ACI" change it, "list import NAME FILE" reads CSV (- for standard input), and "list export NAME" writes CSV.',
      'The first row of a CSV file names its columns: "recipient", an ACI, a username or a signal.me link; "tags", with semicolons between them; and personal fields. A phone number is refused: the service gives only a PNI for it, and nothing can be sealed to that. Usernames and links need --look-up, and with it the connection of the account.',
      'A person who left by their own word stays away, unless --resubscribe is given.',
    ],
    options: [
      { name: 'tag', value: 'TAG', summary: 'members with TAG; add and import: give it to them' },
      { name: 'stop', summary: 'remove: they said so, and no import adds them' },
      { name: 'resubscribe', summary: 'add, import: also people who left by their own word' },
      { name: 'look-up', summary: 'import: look up usernames and links at the service' },
      JSON_LINES,
    ],
    examples: ['sealcast list import news members.csv', 'sealcast list show news --tag ferry'],
  },
  {
    name: 'broadcast',
    operands: ['[FILE]'],
    summary: 'sends the text in FILE, or on standard input, to many recipients',
    details: [
      'The text comes from FILE, or from standard input where FILE is absent or "-". It is in no argument, because other users of the machine can read these. Recipients are the members of a list of the store, or the lines of a file, each a service id; empty lines and lines that begin with # are skipped. A phone number is refused: nothing can be sealed to it.',
      'The same id again resumes a broadcast, and each recipient gets one message. Without --id it is derived from recipients (or the name of the list), text and day, so that a job that runs twice in a day sends once.',
      'A linked device tells the phone of the broadcast when it has ended: one note to self, with the text and the counts. A primary device tells no other device, unless --transcripts summary is given. Both --transcripts and --max-per-second are kept with the broadcast, and "resume" follows them.',
      'Above 50 recipients the command asks first, or refuses where no person can be asked, unless --yes is given. The first Ctrl-C stops the broadcast so that "resume" finishes it; the second one ends the command at once, and nothing is lost either.',
    ],
    options: [
      { name: 'to', value: 'FILE', summary: 'file of recipients, one service id a line' },
      { name: 'list', value: 'NAME', summary: 'list of the store, in place of a file' },
      { name: 'tag', value: 'TAG', summary: 'members of the list with TAG alone' },
      { name: 'id', value: 'ID', summary: 'id of the broadcast: letters, digits and _.:-' },
      {
        name: 'max-per-second',
        value: 'N',
        summary: 'recipients a second at most',
      },
      {
        name: 'transcripts',
        value: 'MODE',
        summary: 'summary: a note to self on the phone; none: no note',
      },
      {
        name: 'markdown',
        summary: 'the text has markup: **bold**, *italic*, ~~struck~~, ||spoiler||',
      },
      { name: 'not-urgent', summary: 'do not wake the recipients’ devices' },
      { name: 'dry-run', summary: 'do all but send, and keep nothing' },
      YES,
      JSON_LINES,
    ],
    examples: [
      'sealcast broadcast notice.txt --to subscribers.txt',
      'sealcast broadcast notice.md --markdown --to subscribers.txt',
      'echo "The ferry is back." | sealcast broadcast --to subscribers.txt --yes --json',
    ],
  },
  {
    name: 'status',
    operands: ['[ID]'],
    summary: 'shows the broadcasts of the store, or one of them, with their counts',
    options: [JSON_LINES],
  },
  {
    name: 'resume',
    operands: ['[ID]'],
    summary: 'finishes the broadcasts that were stopped, or one of them',
    options: [JSON_LINES],
  },
  {
    name: 'report',
    operands: ['ID'],
    summary: 'writes each delivery of a broadcast: recipient, status, error code',
    options: [
      { name: 'format', value: 'FORMAT', summary: 'csv (default) or ndjson' },
      {
        name: 'status',
        value: 'STATUS',
        summary: 'only sealed, unsealed, unregistered, failed or waiting',
      },
      { name: 'json', summary: 'as --format ndjson, a failure too' },
    ],
    examples: ['sealcast report ferry-2026-11-22 --status failed > failed.csv'],
  },
  {
    name: 'receive',
    summary: 'writes messages to standard output as they come, until it is stopped',
    details: [
      'A message is acknowledged to the service when it is on the disk, and leaves the store once it was written. It is given out again where the command is ended in between. Profile keys and other secrets are left out.',
    ],
    options: [
      { name: 'max-messages', value: 'N', summary: 'end after N messages' },
      { name: 'timeout', value: 'SECONDS', summary: 'end after SECONDS without a message' },
      JSON_LINES,
    ],
  },
  {
    name: 'challenge',
    summary: 'answers a challenge of the service, after which it takes messages again',
    details: ['The captcha is asked for, or read from standard input: it is in no argument.'],
    options: [
      { name: 'token', value: 'TOKEN', summary: 'token that the stopped broadcast showed' },
      JSON_LINES,
    ],
  },
  {
    name: 'doctor',
    summary: 'checks machine, store, account and connection, and says what to do',
    options: [JSON_LINES],
  },
  {
    name: 'demo',
    summary: 'sends to subscribers in this process, who decrypt: no account, no network',
    options: [
      { name: 'subscribers', value: 'N', summary: 'how many, 1 to 10,000 (default 200)' },
      JSON_LINES,
    ],
  },
] as const satisfies readonly CommandSpec[];

export type CommandName = (typeof TABLE)[number]['name'];

export const COMMANDS: readonly (CommandSpec & { readonly name: CommandName })[] = TABLE;
