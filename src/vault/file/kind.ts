import { join, resolve } from 'node:path';
import { secondCopyPath } from '../../files/second-copy.ts';
import { lstatOrNull } from '../../files/ownership.ts';
import type { KeyFields, KindEntry } from '../kind.ts';
import { fileKindOfCa } from './kind-of-ca.ts';
import type { FilePlace, FileSettings } from './place.ts';

const shape = ({ z }: KeyFields) => ({
  path: z
    .string()
    .min(1)
    .regex(/^(?!~(?:\/|$))/, 'is no home directory here: write the path out, without ~')
    .optional(),
});
const shapeOfCa = (): Record<string, never> => ({});

/** A keystore file: the keys and their records in one, with no protection but the file's own. */
export const fileKind: KindEntry<
  ReturnType<typeof shape>,
  Record<string, never>,
  FilePlace,
  FileSettings
> = {
  keys: { shape, nouns: { path: 'a path' } },
  keysOfCa: { shape: shapeOfCa, nouns: {} },
  algorithms: ['ed25519'],
  otherAlgorithm: 'a keystore file holds Ed25519 keys only: use backend = "pkcs11"',

  settings({ path }, { name, stateDir }) {
    const own = path === undefined ? join(stateDir, 'keyrings', `${name}.json`) : path;
    return {
      backend: 'file',
      path: resolve(stateDir, own),
      copyPath: secondCopyPath(stateDir, name),
    };
  },
  algorithmOf: () => 'ed25519',
  records: ({ path, copyPath }) => ({
    copyPath,
    kept: 'with_keys',
    because:
      `is a file keyring, so there is nothing to reconcile: ${path} holds its keys and their records in one. ` +
      '(For a keyring in a token, give the --config that the agent is started with.)',
  }),
  async open({ path, copyPath }, { world, knownKids }) {
    const { FileKeystore } = await import('./keystore.ts');
    const keystore = new FileKeystore(path, world, copyPath, knownKids);
    await keystore.migrateLegacySeed();
    return { vault: keystore, store: keystore };
  },
  host: () => null,
  serve: null,
  pin: () => null,
  isSameDevice: () => false,
  async backup(settings, world) {
    const { KeystoreCopies } = await import('./keystore-copies.ts');
    return new KeystoreCopies(settings, world);
  },
  reseal: 'is a file keyring: nothing of it is sealed by a device',
  ca: fileKindOfCa,
  async examine({ name, path }, { world }) {
    const { examineKeystore } = await import('./examine-keystore.ts');
    return examineKeystore(name, path, world);
  },
  firstKey: ({ path }) => (lstatOrNull(path) === null ? 'to_make' : 'there'),
  init: {
    place: 'in a file',
    needsConfig: null,
    flags: [],
    table: (
      keyring,
    ) => `backend = "file"          # the keys are in keyrings/${keyring}.json of the state dir
`,
    firstKeyByAgent: 'its file: the agent makes the first key',
  },
  words: {
    withoutPin: 'is a file keyring: it has no PIN, and is neither locked nor unlocked',
    withoutSeal: 'not noticed: nothing outlives the keystore file',
  },
};
