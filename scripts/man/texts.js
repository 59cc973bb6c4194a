// What the man pages of the two programs say beside their commands and flags.

const socketOf = [
  '`SIGNING_AGENT_SOCK`, else `$XDG_RUNTIME_DIR/signing-agent/agent.sock`;',
  'for root `/run/signing-agent/agent.sock`; without a runtime directory `agent.sock` in the state dir.',
].join(' ');

export const ctlText = {
  description: [
    'agentctl asks a running `signing-agent`(8) over its Unix socket: for signatures, and for what an operator does with keys. Some commands also work while no agent runs; their text says so.',
    'Results are text for people. With `--json` they are exactly what the socket answered, one document on stdout; failures are JSON on stderr then. Secrets are never taken from the command line: they come from a file, a pipe, stdin or a prompt.',
  ],
  sections: [
    {
      name: 'Exit status',
      list: [
        ['0', 'done'],
        ['1', 'the agent refused or failed'],
        ['2', 'usage'],
        ['3', 'no agent is reachable'],
        ['4', 'not authorised'],
        ['5', 'a signature, certificate, token or log does not verify'],
      ],
    },
    {
      name: 'Environment',
      list: [
        [
          'SIGNING_AGENT_SOCK',
          `the agent's socket, where \`--socket\` names none. The default is ${socketOf}`,
        ],
        ['SIGNING_AGENT_USER', 'whom a PIN or an API key may be sent to, as `--agent-user`'],
      ],
    },
    {
      name: 'Files',
      list: [
        [
          '~/.cache/signing-agent',
          "V8's compiled form of agentctl, on Node.js 22 and later; it may be removed",
        ],
      ],
    },
    { name: 'See also', paragraphs: ['`signing-agent`(8), `signing-agent.toml`(5)'] },
  ],
};

export const agentText = {
  description: [
    'signing-agent holds Ed25519 or ES256 keys in PKCS#11 tokens, under a TPM, or in keystore files, and signs for the programs of one machine over a Unix socket (JSON-RPC 2.0, one object a line). Programs get signatures; nobody gets a key.',
    'It runs in the foreground and logs JSON lines to stderr. Without a configuration it has one keyring, `default`, in a keystore file, and serves its own user and root alone.',
    'It is ready when every keyring has signed and verified a random message: then the socket is there, a line with `"msg":"ready"` is logged, and `READY=1` is sent where `NOTIFY_SOCKET` is set.',
  ],
  sections: [
    {
      name: 'Signals',
      list: [
        [
          'SIGTERM, SIGINT',
          'stop: what was admitted is answered, at most 5 s; then tokens are closed',
        ],
        [
          'SIGHUP',
          'read `[access]`, `[log]` and the API keys again; what cannot be read stays as it was',
        ],
      ],
    },
    {
      name: 'Exit status',
      list: [
        ['0', 'stopped'],
        ['2', 'bad flags or configuration; the message names the file, the key and why'],
        ['3', 'another agent holds the state dir'],
        ['4', 'a keyring could not be opened'],
      ],
    },
    {
      name: 'Environment',
      list: [
        [
          'XDG_STATE_HOME',
          'where the state dir is, where nothing names one: `signing-agent` in it',
        ],
        [
          'XDG_RUNTIME_DIR',
          'where the socket is, where nothing names one: `signing-agent/agent.sock` in it',
        ],
        [
          'CREDENTIALS_DIRECTORY',
          'of systemd: where PINs are looked for whose source is a credential',
        ],
        ['NOTIFY_SOCKET', 'of systemd: who is told that the agent is ready, and that it stops'],
      ],
    },
    {
      name: 'Files',
      list: [
        ['keyrings/NAME.json', 'the keystore of a file keyring, or the key records of any other'],
        ['api-keys.json', 'API keys, hashed'],
        ['agent.db', 'client keys, certificates, trusted clusters, revoked tokens'],
        ['audit/', 'the audit log'],
        ['manifest.json, copies/', 'what the state dir must have, and second copies'],
      ],
    },
    { name: 'See also', paragraphs: ['`agentctl`(1), `signing-agent.toml`(5)'] },
  ],
};
