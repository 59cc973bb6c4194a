import { expect, test } from 'vitest';
import { ConfigError, defaultConfig, parseConfig } from '../../src/config/load.ts';
import { resolveSettings } from '../../src/config/settings.ts';

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
    keyrings: [
      {
        name: 'default',
        backend: 'file',
        path: '/var/lib/signing-agent/keyrings/default.json',
        require: 'software',
        optional: false,
        rotation: null,
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
  ['[audit]\nenabled = true', 'audit: this version does not have it yet'],
  ['[keyrings.a]\nbackend = "sealed"', 'keyrings.a.backend'],
  ['[keyrings.a]\nbackend = "pkcs11"', 'keyrings.a.uri: a pkcs11 keyring needs the URI'],
  ['[keyrings.a]\nuri = "pkcs11:token=x"', 'keyrings.a.uri: only a pkcs11 keyring'],
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
