/** What people need first, in the order in which they need it: the command and what it is for. */
export const firstCommands: readonly (readonly [string, string])[] = [
  ['init', 'set up a first agent'],
  ['status', 'what the agent and its keyrings do'],
  ['doctor', 'what is not well, and what helps'],
  ['sign FILE', 'sign a file, or stdin'],
  ['verify FILE', 'verify a signature'],
  ['keys list', 'the keys and their states'],
  ['keys rotate', 'a new key; the old one has a grace'],
  ['unlock', 'give a locked keyring its PIN'],
  ['apikey create', 'an API key for a program'],
  ['jwt sign', 'issue a JSON Web Token'],
];

const firstOptions: readonly (readonly [string, string])[] = [
  ['--socket FILE', "the agent's socket"],
  ['--keyring NAME', 'the keyring, else: default'],
  ['--json', 'print results as JSON'],
  ['--version', 'print the version'],
];

/** `agentctl --help`: short, since it is read by who is new. In 60 columns, which every terminal has. */
export const firstHelp = `Usage: agentctl [options] COMMAND

Sign, verify and look after the keys of a signing-agent.

What is needed first:
${columns(firstCommands)}

Options before the command:
${columns(firstOptions)}

All the rest:
${columns([
  ['help all', 'every command and every option'],
  ['help COMMAND', 'one command, with examples'],
  ['man agentctl', 'the same as a manual'],
])}

Examples:
  agentctl sign notes.txt --out notes.sig
  agentctl verify notes.txt --signature notes.sig

Exit codes: 0 done, 1 refused or failed, 2 usage,
3 no agent, 4 not authorised, 5 does not verify.
`;

function columns(rows: readonly (readonly [string, string])[]): string {
  return rows.map(([name, what]) => `  ${name.padEnd(15)} ${what}`).join('\n');
}
