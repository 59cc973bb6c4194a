import { realpathSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { ConfigError, defaultConfig, parseConfig } from '../../src/config/load.ts';
import { configuredHosts } from '../../src/agent/configured-hosts.ts';
import { keyringBounds, purposeWarnings } from '../../src/config/keyring-bounds.ts';
import { resolveSettings } from '../../src/config/settings.ts';

type Keyrings = Parameters<typeof configuredHosts>[0]['keyrings'];
const parameters = (keyrings: Keyrings): ReadonlyMap<string, string> =>
  configuredHosts({ keyrings }, {}, 2).libraryParameters;

const file = '/etc/agent.toml';
const world = { env: {}, uid: 0, cwd: '/home/me', file, processors: 2 };

function refused(text: string): string {
  try {
    resolveSettings(parseConfig(text, file), {}, world);
  } catch (failure) {
    if (failure instanceof ConfigError) return failure.message;
    throw failure;
  }
  throw new Error('accepted');
}

test('no configuration at all is one file keyring', () => {
  const settings = resolveSettings(defaultConfig(), {}, world);
  expect(settings).toEqual({
    stateDir: '/var/lib/signing-agent',
    socket: {
      path: '/run/signing-agent/agent.sock',
      mode: 0o600,
      group: null,
      maxFrameBytes: 262_144,
      maxConnections: 10_000,
      maxConnectionsPerUid: 1000,
    },
    logLevel: 'info',
    access: {
      admins: [],
      apps: [],
      readers: [],
      rules: [],
      signaturesPerSecondPerUid: null,
      operationsPerSecondPerUid: null,
      signaturesPerSecondPerKey: null,
      connectionsPerKey: null,
    },
    audit: null,
    cluster: null,
    sshAgent: null,
    keyrings: [
      {
        name: 'default',
        backend: 'file',
        path: '/var/lib/signing-agent/keyrings/default.json',
        copyPath: '/var/lib/signing-agent/copies/keyrings/default.json',
        prunes: true,
        require: 'software',
        optional: false,
        rotation: null,
        joseAlg: null,
        jwt: { issuer: null, audiences: null, longestLifeSeconds: null },
        purposes: null,
      },
    ],
  });
});

test('flags go before the file, the file before the environment', () => {
  const config = parseConfig(
    'state_dir = "/srv/a"\n[socket]\npath = "/srv/s"\nmode = "0660"',
    file,
  );
  const env = { XDG_STATE_HOME: '/x', XDG_RUNTIME_DIR: '/r' };
  const from = (flags: { stateDir?: string; socket?: string }) => {
    const settings = resolveSettings(config, flags, { ...world, env, uid: 1000 });
    return [settings.stateDir, settings.socket.path, settings.socket.mode];
  };
  expect(from({})).toEqual(['/srv/a', '/srv/s', 0o660]);
  expect(from({ stateDir: 'b', socket: 'c/s' })).toEqual(['/home/me/b', '/home/me/c/s', 0o660]);
  const plain = resolveSettings(defaultConfig(), {}, { ...world, env, uid: 1000 });
  expect([plain.stateDir, plain.socket.path]).toEqual([
    '/x/signing-agent',
    '/r/signing-agent/agent.sock',
  ]);
});

test('[access]: names as they were written, and limits', () => {
  const { access } = resolveSettings(
    parseConfig(
      `[access]
admins = ["root", "@wheel"]
apps = ["@signers", "1001", "@2001", "*"]
readers = ["*", "svc.build-1_x", "müller"]
max_signatures_per_second_per_uid = 100
max_signatures_per_second_per_key = 10
max_connections_per_key = 5
max_operations_per_second_per_uid = 300`,
      file,
    ),
    {},
    world,
  );
  expect(access).toEqual({
    admins: ['root', '@wheel'],
    apps: ['@signers', '1001', '@2001', '*'],
    readers: ['*', 'svc.build-1_x', 'müller'],
    rules: [],
    signaturesPerSecondPerUid: 100,
    signaturesPerSecondPerKey: 10,
    operationsPerSecondPerUid: 300,
    connectionsPerKey: 5,
  });
});

test('[[access.rules]]: who, on which keyrings, for which purposes', () => {
  const { access } = resolveSettings(
    parseConfig(
      `[[access.rules]]
who = ["ci", "@signers", 1042]
scope = "app"
keyrings = ["ci"]
purposes = ["minisign", "sshsig:file"]
[[access.rules]]
who = ["*"]
scope = "reader"
[keyrings.default]
[keyrings.ci]
purposes = ["minisign", "sshsig"]`,
      file,
    ),
    {},
    world,
  );
  expect(access.rules).toEqual([
    {
      ...{ who: ['ci', '@signers', '1042'], scope: 'app', keyrings: ['ci'] },
      purposes: new Set(['minisign', 'sshsig:file']),
    },
    { who: ['*'], scope: 'reader', keyrings: null, purposes: null },
  ]);
});

test('what binds everybody at a keyring, and where it is said that nothing does', () => {
  const settings = resolveSettings(
    parseConfig(
      `[audit]
keyring = "log"
[cluster]
domain = "prod.example"
longest_join_token = "1h"
[ssh_agent]
keyrings = ["default", "ssh", "log"]
[keyrings.default]
[keyrings.log]
purposes = []
[keyrings.ssh]
purposes = ["ssh-login", "sshsig:git"]
[keyrings.tokens.jwt]
issuer = "https://agent.example"
audiences = ["a", "b"]
longest_life = "15m"
[keyrings.alg.jwt]
alg = "Ed25519"`,
      file,
    ),
    {},
    world,
  );
  const bounds = keyringBounds(settings);
  const none = new Set();
  expect(bounds.get('default')).toEqual({
    ...{ purposes: null, wordedByAgent: new Set(['join-token']) },
  });
  expect(bounds.get('log')).toEqual({ purposes: none, wordedByAgent: none });
  expect(bounds.get('ssh')).toEqual({
    ...{ purposes: new Set(['ssh-login', 'sshsig:git']), wordedByAgent: none },
  });
  expect(bounds.get('tokens')).toEqual({ purposes: null, wordedByAgent: new Set(['jwt']) });
  expect(bounds.get('alg')).toEqual({ purposes: null, wordedByAgent: none });
  expect(settings.keyrings.find(({ name }) => name === 'tokens')?.jwt).toEqual({
    ...{ issuer: 'https://agent.example', audiences: ['a', 'b'], longestLifeSeconds: 900 },
  });
  expect(settings.cluster?.longestJoinToken).toBe(3600);
  expect(purposeWarnings(settings)).toEqual([
    expect.stringMatching(
      /^keyring default is the cluster's and the SSH agent's, and has no purposes: .*purposes = \[/,
    ),
    expect.stringMatching(/^keyring log is the SSH agent's, and none of its purposes is for SSH/),
  ]);
});

test('[audit]: where it is, and whose key signs', () => {
  const of = (text: string) =>
    resolveSettings(parseConfig(`state_dir = "/srv/a"\n${text}`, file), {}, world).audit;
  const usual = { dir: '/srv/a/audit', fsync: true, maxFileBytes: 67_108_864, keyring: 'default' };
  expect(of('[audit]')).toEqual(usual);
  expect(of('[audit]\nenabled = true\nfsync = false\nmax_file_bytes = 16384')).toEqual({
    ...usual,
    ...{ fsync: false, maxFileBytes: 16_384 },
  });
  expect(of('[audit]\nenabled = false')).toBeNull();
  const two = '[keyrings.prod]\n[keyrings.ci]\n';
  expect(of(`${two}[audit]`)).toEqual({ ...usual, keyring: 'prod' });
  expect(of(`${two}[keyrings.default]\n[audit]`)).toEqual(usual);
  expect(of(`${two}[audit]\nkeyring = "ci"`)).toEqual({ ...usual, keyring: 'ci' });
});

test('sessions of a token: as many threads as were asked for, else what its processors can use', () => {
  const of = (more: string) =>
    resolveSettings(
      parseConfig(`[keyrings.a]\nbackend = "pkcs11"\nuri = "pkcs11:token=x"\n${more}`, file),
      {},
      world,
    ).keyrings[0];
  expect(of('')).toMatchObject({ sessions: 16, ownThreads: 0 });
  expect(of('sessions = 12')).toMatchObject({ sessions: 12, ownThreads: 12 });
});

test.each([
  ['sokcet = 1', 'sokcet: unknown key "sokcet", did you mean socket?'],
  ['[socket]\nmax_conections = 1', 'socket.max_conections: unknown key', 'max_connections?'],
  ['[keyrings.a]\nbackend = "file"\nalgoritm = "x"', 'keyrings.a.algoritm', 'algorithm?'],
  ['zzzzzzzzzzzz = 1', 'zzzzzzzzzzzz: unknown key "zzzzzzzzzzzz"'],
  ['[http]\nlisten = "127.0.0.1:1"', 'http: this version does not have it yet'],
  ['[access]\nreader = ["*"]', 'access.reader: unknown key', 'did you mean readers?'],
  ['[access]\nadmins = ["*"]', 'access.admins.0'],
  ['[access]\nadmins = "root"', 'access.admins'],
  ['[access]\napps = ["ci signer"]', 'access.apps.0'],
  ['[access]\napps = [""]', 'access.apps.0'],
  ['[access]\napps = ["@"]', 'access.apps.0'],
  ['[access]\napps = ["@*"]', 'access.apps.0'],
  ['[access]\nreaders = ["a,b"]', 'access.readers.0'],
  ['[access]\nreaders = [1000]', 'access.readers.0'],
  ['[access]\nmax_signatures_per_second_per_uid = 0', 'max_signatures_per_second_per_uid'],
  ['[access]\nmax_connections_per_key = -1', 'access.max_connections_per_key'],
  ['[access]\nmax_connection_per_key = 1', 'unknown key', 'did you mean max_connections_per_key?'],
  ['[audit]\nenable = true', 'audit.enable: unknown key', 'did you mean enabled?'],
  ['[audit]\nfsync = "yes"', 'audit.fsync'],
  ['[audit]\nmax_file_bytes = 1024', 'audit.max_file_bytes'],
  [
    '[keyrings.a.jwt]\nalg = "ES256"',
    'keyrings.a.jwt.alg: ed25519 keys sign with EdDSA or Ed25519',
  ],
  ['[keyrings.a.jwt]\nalg = "RS256"', 'keyrings.a.jwt.alg'],
  ['[keyrings.a.jwt]\nalgo = "EdDSA"', 'alg'],
  ['[audit]\nkeyring = "prod"', 'audit.keyring: names no keyring of this configuration'],
  ['[audit]\nkeyring = "toString"', 'audit.keyring: names no keyring of this configuration'],
  ['[keyrings.a]\nbackend = "sealed"', 'keyrings.a.backend', 'expected one of "file"|"pkcs11"'],
  ['[keyrings.a]\nbackend = "pkcs11"', 'keyrings.a.uri: a pkcs11 keyring needs the URI'],
  ['[[access.rules]]\nscope = "app"', 'access.rules.0.who'],
  ['[[access.rules]]\nwho = []\nscope = "app"', 'access.rules.0.who: must name somebody'],
  ['[[access.rules]]\nwho = ["a"]', 'access.rules.0.scope'],
  ['[[access.rules]]\nwho = ["a"]\nscope = "none"', 'access.rules.0.scope'],
  ['[[access.rules]]\nwho = ["a b"]\nscope = "app"', 'access.rules.0.who.0'],
  ['[[access.rules]]\nwho = [-1]\nscope = "app"', 'access.rules.0.who.0'],
  ['[[access.rules]]\nwho = ["*"]\nscope = "admin"', 'not everybody may be admin'],
  ['[[access.rules]]\nwho = ["a"]\nscope = "app"\npurpose = []', 'did you mean purposes?'],
  [
    '[[access.rules]]\nwho = ["a"]\nscope = "app"\nkeyrings = ["defualt"]',
    'access.rules.0.keyrings.0: there is no keyring "defualt"; did you mean default?',
  ],
  [
    '[[access.rules]]\nwho = ["a"]\nscope = "app"\nkeyrings = ["elsewhere"]',
    'there is no keyring "elsewhere"; there are: default',
  ],
  [
    '[[access.rules]]\nwho = ["a"]\nscope = "app"\nkeyrings = []',
    'access.rules.0.keyrings: must name one; left out: all',
  ],
  [
    '[[access.rules]]\nwho = ["a"]\nscope = "app"\npurposes = ["jwt", "raw"]\n[keyrings.a]\npurposes = ["jwt"]',
    'access.rules.0.purposes: no keyring of the rule has raw: a has jwt',
  ],
  ['[keyrings.a]\npurposes = ["minsign"]', 'keyrings.a.purposes.0', 'did you mean minisign?'],
  ['[keyrings.a]\npurposes = ["sshsig:"]', 'there is no purpose "sshsig:"'],
  ['[keyrings.a]\npurposes = "jwt"', 'keyrings.a.purposes'],
  ['[keyrings.a.jwt]\nissuer = ""', 'keyrings.a.jwt.issuer'],
  ['[keyrings.a.jwt]\nissuers = "x"', 'keyrings.a.jwt.issuers: unknown key', 'issuer?'],
  ['[keyrings.a.jwt]\naudiences = []', 'keyrings.a.jwt.audiences: must name one'],
  ['[keyrings.a.jwt]\nlongest_life = "0s"', 'keyrings.a.jwt.longest_life: must be 1s or longer'],
  ['[keyrings.a.jwt]\nlongest_life = 900', 'keyrings.a.jwt.longest_life'],
  ['[cluster]\ndomain = "a"\nlongest_join_token = "0s"', 'cluster.longest_join_token: must be 1s'],
  ['[keyrings.a]\nuri = "pkcs11:token=x"', 'keyrings.a.uri: only a pkcs11 keyring'],
  ['[keyrings.a]\nsessions = 2', 'keyrings.a.sessions: only a pkcs11 keyring has sessions'],
  ['[keyrings.a]\nenvironment = ["X"]', 'only a pkcs11 keyring has a module that needs variables'],
  [
    '[keyrings.a]\nbackend = "pkcs11"\nuri = "pkcs11:token=x"\npath = "x"',
    'keyrings.a.path: only a file keyring has a path',
  ],
  ['[cluster]\ndomain = "a"\nca_backend = "pkcs11"', 'cluster.ca_uri: ca_backend = "pkcs11" needs'],
  ['[cluster]\ndomain = "a"\nca_uri = "x"', 'cluster.ca_uri: only ca_backend = "pkcs11" has a URI'],
  ['[cluster]\ndomian = "a"', 'cluster.domian: unknown key', 'did you mean domain?'],
  ['[keyrings.a]\nalgorithm = "es256"', 'keyrings.a.algorithm: a keystore file holds Ed25519'],
  ['[keyrings."../x"]\nbackend = "file"', 'keyrings.../x: a keyring is named with'],
  ['[keyrings]', 'keyrings: there must be at least one'],
  ['[socket]\nmode = "999"', 'socket.mode: must be an octal mode'],
  ['[socket]\nmax_frame_bytes = 99999999', 'socket.max_frame_bytes'],
  ['state_dir = "relative"', 'state_dir: must be an absolute path'],
  ['[log]\nlevel = "loud"', 'log.level'],
  ['[log', '/etc/agent.toml:1:'],
  [
    '[keyrings.a]\nbackend = "pkcs11"\nuri = "pkcs11:slot-id=1?module-path=/x.so"',
    'keyrings.a.uri: ',
  ],
])('refuses %j', (text, ...parts) => {
  const message = refused(text);
  expect(message).toContain(file);
  for (const part of parts) expect(message).toContain(part);
});

describe('[cluster]', () => {
  const uri = 'pkcs11:token=x?module-path=/x.so';
  const labelled = (label: string): string => `pkcs11:token=x;object=${label}?module-path=/x.so`;
  const prod = '[cluster]\ndomain = "prod.example"\n';
  const inToken = (at: string): string => `${prod}ca_backend = "pkcs11"\nca_uri = "${at}"\n`;
  const keyring = (name: string, at: string): string =>
    `[keyrings.default]\n[keyrings.${name}]\nbackend = "pkcs11"\nuri = "${at}"\n`;

  test('the CA is in a file of the state dir, or in a token', () => {
    const of = (text: string) =>
      resolveSettings(parseConfig(`state_dir = "/srv/a"\n${text}`, file), {}, world).cluster;
    const common = { domain: 'prod.example', keyring: 'default', longestJoinToken: 604_800 };
    expect(of(prod)).toEqual({ ...common, ca: { backend: 'file', path: '/srv/a/cluster-ca.key' } });
    expect(of(inToken(uri))).toMatchObject({
      ...common,
      ca: { backend: 'pkcs11', sidecarPath: '/srv/a/keyrings/cluster-ca.json' },
    });
  });

  test.each([
    ['by name', '[keyrings.default]\n[keyrings.cluster-ca]', 'kept for the CA of a cluster'],
    ['by path', '[keyrings.default]\npath = "cluster-ca.key"', 'key of the cluster CA'],
    ['through ..', '[keyrings.default]\npath = "keyrings/../cluster-ca.key"', 'cluster CA'],
    [
      'by the label that the CA has by default',
      keyring('x', labelled('signing-agent%2Fcluster-ca')),
      'keyrings.x.uri: its keys would have the label signing-agent/cluster-ca',
    ],
    [
      'by the label that the CA was given',
      inToken(labelled('ca')) + keyring('x', labelled('ca')),
      'keyrings.x.uri: its keys would have the label ca',
    ],
    [
      "where the CA was given the keyring's own label",
      inToken(labelled('signing-agent%2Fx')) + keyring('x', uri),
      'keyrings.x.uri: its keys would have the label signing-agent/x',
    ],
  ])('no keyring has the key of the CA: %s', (_, text, why) => {
    expect(refused(text)).toContain(why);
  });
});

test('the SSH agent has a socket of its own', () => {
  const same = '[socket]\npath = "/run/a/ssh.sock"\n[ssh_agent]\n';
  for (const text of [same, `${same}path = "/run/a/../a/ssh.sock"\n`]) {
    expect(refused(text)).toContain(`${file}: ssh_agent.path:`);
  }
  const { sshAgent } = resolveSettings(
    parseConfig('[socket]\npath = "/run/a/agent.sock"\n[ssh_agent]\n', file),
    {},
    world,
  );
  expect(sshAgent?.path).toBe('/run/a/ssh.sock');
});

test('a PIN in the URI is refused and not repeated', () => {
  const message = refused(
    '[keyrings.a]\nbackend = "pkcs11"\nuri = "pkcs11:token=x?module-path=/x.so&pin-value=8675309"',
  );
  expect(message).toContain('pin-value');
  expect(message).not.toContain('8675309');
});

test('says every problem at once', () => {
  expect(refused('a = 1\nb = 2').split('\n')).toHaveLength(2);
});

describe('library_parameters and require_seal', () => {
  const soft = '/usr/lib/softhsm/libsofthsm2.so';
  const ring = (name: string, lines: string): string =>
    `[keyrings.${name}]\nbackend = "pkcs11"\nuri = "pkcs11:token=${name}?module-path=${soft}"\n${lines}\n`;
  const keyringsOf = (text: string) => resolveSettings(parseConfig(text, file), {}, world).keyrings;

  test("are a token's, and off where they are not given", () => {
    const given = `library_parameters = "configdir='sql:/x'"\nrequire_seal = true`;
    expect(keyringsOf(ring('a', given))).toMatchObject([
      { libraryParameters: "configdir='sql:/x'", requireSeal: true },
    ]);
    expect(keyringsOf(ring('a', ''))).toMatchObject([
      { libraryParameters: null, requireSeal: false },
    ]);
    for (const line of ['library_parameters = "x"', 'require_seal = true']) {
      expect(() => parseConfig(`[keyrings.a]\n${line}`, file)).toThrow(/only a/);
    }
    expect(() => parseConfig(ring('a', 'library_parameters = ""'), file)).toThrow(ConfigError);
  });

  test('go to the module once: two keyrings on it have the same, or are refused', () => {
    const path = realpathSync(soft);
    const one = keyringsOf(ring('a', 'library_parameters = "x"'));
    expect([...parameters(one)]).toEqual([[path, 'x']]);
    const both = ring('a', 'library_parameters = "x"') + ring('b', 'library_parameters = "x"');
    expect([...parameters(keyringsOf(both))]).toEqual([[path, 'x']]);
    for (const other of ['library_parameters = "y"', '']) {
      const mixed = ring('a', 'library_parameters = "x"') + ring('b', other);
      expect(() => parameters(keyringsOf(mixed))).toThrow(
        /keyrings\.b\.library_parameters: keyring a is on the same module/,
      );
    }
    expect([...parameters(keyringsOf(ring('a', '')))]).toEqual([]);
  });
});
