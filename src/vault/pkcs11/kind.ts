import { join } from 'node:path';
import { secondCopyPath } from '../../files/second-copy.ts';
import { algorithms } from '../../algorithms/algorithm.ts';
import type { KeyFields, KindEntry } from '../kind.ts';
import { loadBinding } from './binding.ts';
import { pkcs11KindOfCa } from './kind-of-ca.ts';
import { libraryOf, noImport, tokenTarget } from './opening.ts';
import { tokenPin } from './pin.ts';
import type { TokenPlace, TokenSettings } from './place.ts';
import { tokenUri } from './token-uri.ts';

/**
 * Where nobody says how many sessions: for a token in software, whose signatures take a processor each. More
 * sessions than processors, so that the threads have work while answers, several written together, are on their
 * way and the next requests on theirs.
 */
const sessionsPerProcessor = 8;
/** A YubiHSM 2 has 16. */
const mostSessions = 16;

const shape = ({ z, duration }: KeyFields) => ({
  uri: z.string({
    error: ({ input }) =>
      input === undefined ? 'a pkcs11 keyring needs the URI of its token' : undefined,
  }),
  sessions: z.int().min(1).max(64).optional(),
  call_timeout: duration
    .refine((seconds) => seconds >= 1 && seconds <= 600, 'must be 1s to 10m')
    .default(10),
  require_seal: z.boolean().default(false),
  library_parameters: z
    .string()
    .min(1)
    .max(4096)
    .refine((text) => !text.includes('\0'), 'must not contain a NUL')
    .optional(),
  environment: z
    .array(z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/, 'must be the name of a variable'))
    .default([]),
});

const shapeOfCa = ({ z }: KeyFields) => ({
  ca_uri: z.string({
    error: ({ input }) =>
      input === undefined ? 'ca_backend = "pkcs11" needs the URI of its token' : undefined,
  }),
});

/** Objects in a PKCS#11 token, whose module is loaded by a vault host. */
export const pkcs11Kind: KindEntry<
  ReturnType<typeof shape>,
  ReturnType<typeof shapeOfCa>,
  TokenPlace,
  TokenSettings
> = {
  keys: {
    shape,
    nouns: {
      uri: 'a URI',
      sessions: 'sessions',
      call_timeout: 'calls that may hang',
      require_seal: 'a token that keeps a seal',
      library_parameters: 'a module that takes parameters',
      environment: 'a module that needs variables',
    },
  },
  keysOfCa: { shape: shapeOfCa, nouns: { ca_uri: 'a URI' } },
  algorithms: ['ed25519', 'es256'],
  otherAlgorithm: 'a pkcs11 keyring holds Ed25519 or P-256 keys',

  settings(given, where) {
    const { uri, algorithm, sessions, call_timeout, environment } = given;
    return {
      backend: 'pkcs11',
      sidecarPath: join(where.stateDir, 'keyrings', `${where.name}.json`),
      copyPath: secondCopyPath(where.stateDir, where.name),
      uri: tokenUri(uri, 'uri'),
      algorithm,
      sessions: sessions ?? Math.min(sessionsPerProcessor * where.processors, mostSessions),
      ownThreads: sessions ?? 0,
      callTimeout: call_timeout * 1000,
      requireSeal: given.require_seal,
      libraryParameters: given.library_parameters ?? null,
      environment,
    };
  },
  algorithmOf: ({ algorithm }) => algorithm,
  records: ({ sidecarPath, copyPath, algorithm, requireSeal }) => ({
    copyPath,
    kept: 'apart',
    path: sidecarPath,
    algorithm,
    requireSeal,
  }),
  async open(settings, opening) {
    const { name: keyring, algorithm, uri, sessions, callTimeout } = settings;
    const vault = await opening.hosts.openVault({
      target: tokenTarget(keyring, uri),
      keyring,
      algorithm: algorithms[algorithm],
      sessions,
      callTimeout,
      pins: opening.pins,
      refuseProtection: opening.refuseProtection,
      noImport,
      world: opening.world,
    });
    return { vault, store: null };
  },
  host: ({ ownThreads, environment, uri, libraryParameters }) => ({
    ownThreads,
    environment,
    library: libraryOf(uri, libraryParameters),
  }),
  async serve() {
    loadBinding();
    return (await import('./token/served.ts')).servePkcs11;
  },
  pin: tokenPin,
  isSameDevice: ({ uri: one }, { uri: other }) => {
    const names = ['modulePath', 'moduleName', 'token', 'serial', 'manufacturer', 'model'] as const;
    return names.every((name) => one[name] === other[name]);
  },
  backup: 'is in a token, and its keys do not leave it: back the token up by its own means',
  reseal: "is in a token, which seals nothing: its PIN is changed by the token's own means",
  ca: pkcs11KindOfCa,
  async examine(settings, looking) {
    const { examineToken } = await import('./examine.ts');
    return examineToken(settings, looking);
  },
  firstKey: () => 'by_agent',
  init: {
    place: 'in a token',
    needsConfig: 'a token needs a configuration: give --config FILE',
    flags: [
      {
        key: 'uri',
        value: '<uri>',
        description: 'the PKCS#11 URI of the token',
        question: 'PKCS#11 URI of the token',
        missing: 'a pkcs11 keyring needs the URI of its token: give --uri URI',
        noun: 'the URI of a token',
      },
    ],
    table: (_, answers, toml) => `backend = "pkcs11"
uri = ${toml(answers.get('uri') ?? '')}
# algorithm = "ed25519"   # or "es256"
# require = "hardware"    # refuse to start with keys that are protected less
`,
    firstKeyByAgent: 'its token: the agent makes the first key',
  },
  words: {
    withoutPin: 'has no PIN',
    withoutSeal: 'not noticed: the token cannot keep a seal of the key records',
  },
};
