// What each table and each key of the configuration is for.

export const description = [
  'The configuration is a TOML file. An unknown key is refused, with the one that was probably meant. Everything has a default: without a file the agent has one keyring, `default`, in a keystore file.',
  'A file that others than its owner, root or the agent\'s user may write is refused, since it names the code that is loaded. Durations are texts such as "90s", "15m", "24h" or "7d".',
  '`[access]`, `[log]` and the API keys are read again by SIGHUP and `agentctl reload`; everything else counts after a restart.',
];

export const tableTexts = {
  socket: 'The socket that programs sign through.',
  access:
    "Who may do what. Without it the agent's own user and root may do everything, everybody else nothing.",
  'access.rules':
    'Beside the lists, as `[[access.rules]]`: a scope on some keyrings, for some purposes.',
  audit: 'Left out: nothing is recorded.',
  cluster: 'Left out: there is no CA, and there are no join tokens.',
  ssh_agent:
    'A second socket, which OpenSSH and git take for an ssh-agent. Left out: there is none.',
  log: 'JSON lines on stderr.',
  'keyrings.NAME':
    'A named set of keys, of which one is active. NAME has at most 31 of a-z, 0-9, - and _. Keys after `backend` are those of that backend alone.',
  'keyrings.NAME.rotation': 'Left out: keys are rotated by hand.',
  'keyrings.NAME.jwt': 'What JSON Web Tokens say, whoever asks for them.',
};

const owner = {
  path: 'an absolute path',
  mode: 'Permission bits, in octal: "0600" for the agent\'s user alone, "0660" with a group.',
  group: 'Its group, by name.',
};

export const keyTexts = {
  state_dir:
    'Where keys and state are kept, an absolute path. Left out: `$XDG_STATE_HOME/signing-agent`, for root `/var/lib/signing-agent`.',
  'socket.path':
    'Where it is, an absolute path. Left out: `$XDG_RUNTIME_DIR/signing-agent/agent.sock`, for root `/run/signing-agent/agent.sock`, without a runtime directory `agent.sock` in the state dir.',
  'socket.mode': owner.mode,
  'socket.group': owner.group,
  'socket.max_frame_bytes': 'The longest request line, in bytes.',
  'socket.max_connections': "Over this socket and the SSH agent's together.",
  'socket.max_connections_per_uid':
    'Of one user, and of one API key. All callers without a scope together have 128.',
  'access.admins': 'Who may change keys, access and backups: names, `@` and names of groups, ids.',
  'access.apps': 'Who may sign. `*` is everybody.',
  'access.readers': 'Who may look and verify. `*` is everybody.',
  'access.max_signatures_per_second_per_uid': 'Left out: as many as they like.',
  'access.max_signatures_per_second_per_key': 'Of an API key that has no limit of its own.',
  'access.max_connections_per_key': 'Of an API key that has no limit of its own.',
  'access.max_operations_per_second_per_uid':
    'Operations of readers and apps that are recorded, signatures among them.',
  'access.rules.who': 'Whom it is for: names, `@` and names of groups, ids, or `*`.',
  'access.rules.scope': 'What they may do: reader looks, app signs, admin changes.',
  'access.rules.keyrings': 'On which keyrings. Left out: on all, and on the agent as a whole.',
  'access.rules.purposes': 'For which purposes. Left out: for all.',
  'audit.enabled': 'Whether anything is recorded.',
  'audit.fsync': 'false: a power cut may take the last records, but not their answers back.',
  'audit.max_file_bytes': 'Then the file is closed, and another begun. None is ever removed.',
  'audit.keyring':
    'Whose active key signs the log. Left out: `default`, or the first keyring where there is none of that name.',
  'cluster.domain': 'The name of the cluster, one word such as prod.example.',
  'cluster.keyring': 'Whose keys are certified, and sign join tokens. Ed25519.',
  'cluster.longest_join_token': 'How long a join token may be valid. Left out: 7d.',
  'cluster.ca_backend': "Where the CA's key is: `cluster-ca.key` in the state dir, or a token.",
  'cluster.ca_uri': 'The PKCS#11 URI of that token, which ca_backend = "pkcs11" needs.',
  'ssh_agent.path':
    "Where it is, an absolute path. Left out: `ssh.sock` beside the agent's socket.",
  'ssh_agent.mode': owner.mode,
  'ssh_agent.group': owner.group,
  'ssh_agent.keyrings': 'Whose keys it has, in this order.',
  'log.level': 'What is logged. At debug also what is refused.',
  'keyrings.NAME.backend': 'Where the private keys are. Left out: file.',
  'keyrings.NAME.algorithm':
    'What keys are made for. A keystore file has Ed25519 alone; a TPM makes ES256 itself.',
  'keyrings.NAME.require': 'The agent does not start with a weaker protection than this.',
  'keyrings.NAME.optional':
    'true: a token that is away at start is tried again, instead of exit code 4.',
  'keyrings.NAME.purposes':
    'What its keys may be used for, whoever asks: raw, ssh-login, ssh-cert, sshsig or sshsig:NAMESPACE, minisign, jwt, jws, join-token, x509. Left out: everything.',
  'keyrings.NAME.prune': 'false: keys whose grace has ended stay until `agentctl keys prune`.',
  'keyrings.NAME.path':
    'file: where the keystore is, under the state dir, or an absolute path to one that is there. Left out: keyrings/NAME.json.',
  'keyrings.NAME.uri':
    'pkcs11: the URI of the token (RFC 7512), which it needs, with module-path, and with pin-source (file:PATH or credential) where it is not unlocked by hand.',
  'keyrings.NAME.sessions':
    'pkcs11: signatures at a time in the device. Left out: what suits a token in software.',
  'keyrings.NAME.call_timeout':
    'pkcs11, tpm: a call that takes longer is taken for hung, 1s to 10m. Left out: 10s.',
  'keyrings.NAME.require_seal':
    'pkcs11, tpm: true refuses a device that keeps no seal of the key records.',
  'keyrings.NAME.library_parameters':
    'pkcs11: for C_Initialize, where the module wants them (NSS).',
  'keyrings.NAME.environment':
    'pkcs11: names of variables that the module needs beside the usual ones.',
  'keyrings.NAME.device': 'tpm: its device, or unix: and the socket of swtpm.',
  'keyrings.NAME.pcrs':
    'tpm: registers (SHA-256) that must have the values they had when its key was sealed.',
  'keyrings.NAME.pin-source':
    'tpm: "file:PATH", or "credential" (NAME.pin of systemd, or `agentctl unlock`). Left out: no PIN.',
  'keyrings.NAME.recovery':
    'tpm: the age recipient who can open its key where the TPM or the registers change. Left out: nobody.',
  'keyrings.NAME.rotation.every': 'How long a key is used, 2s or longer.',
  'keyrings.NAME.rotation.prepublish':
    'How long before its use the next key is published. Left out: a quarter of every.',
  'keyrings.NAME.rotation.grace':
    'How long a replaced key stays valid. Left out: as long as every.',
  'keyrings.NAME.rotation.signature_lifetime':
    'The longest time that what is signed must verify: a shorter grace is refused.',
  'keyrings.NAME.jwt.alg':
    'alg of tokens and of the key set. Left out: the usual one of the algorithm.',
  'keyrings.NAME.jwt.issuer': 'iss of every token. Left out: the caller says.',
  'keyrings.NAME.jwt.audiences': 'What aud may be. Left out: the caller says.',
  'keyrings.NAME.jwt.longest_life': 'The longest from iat to exp. Left out: the grace.',
};

export const example = [
  '[access]',
  'apps = ["@signers"]',
  '',
  '[audit]',
  'enabled = true',
  '',
  '[keyrings.default]',
  'backend = "pkcs11"',
  'uri = "pkcs11:token=prod?module-path=/usr/lib/softhsm/libsofthsm2.so&pin-source=file:/run/credentials/pin"',
  '',
  '[keyrings.default.rotation]',
  'every = "30d"',
  'grace = "7d"',
];
