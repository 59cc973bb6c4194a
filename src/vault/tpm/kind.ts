import { join } from 'node:path';
import { secondCopyPath } from '../../files/second-copy.ts';
import { algorithms } from '../../algorithms/algorithm.ts';
import { TableFault } from '../kind-calls.ts';
import type { KeyFields, KindEntry } from '../kind.ts';
import { deviceOf, noSeedImport, pinOf, tpmPin, tpmTarget, type TpmSettings } from './place.ts';

const pcrCount = 24;
/** The TPM does one thing after the other: more at a time only wait in the vault host. */
const atATime = 8;

const shape = ({ z, duration }: KeyFields) => ({
  device: z.string().default('/dev/tpmrm0'),
  pcrs: z
    .array(
      z
        .int()
        .min(0)
        .max(pcrCount - 1),
    )
    .default([]),
  'pin-source': z.string().optional(),
  recovery: z
    .string()
    .regex(/^age1[a-z0-9]+$/, 'must be an age recipient, age1…')
    .optional(),
  call_timeout: duration
    .refine((seconds) => seconds >= 1 && seconds <= 600, 'must be 1s to 10m')
    .default(10),
  require_seal: z.boolean().default(false),
});
const shapeOfCa = (): Record<string, never> => ({});

/** The TPM of this machine, without a module: a vault host sends it its commands. */
export const tpmKind: KindEntry<
  ReturnType<typeof shape>,
  Record<string, never>,
  TpmSettings,
  TpmSettings
> = {
  keys: {
    shape,
    nouns: {
      device: 'a device',
      pcrs: 'PCRs',
      'pin-source': 'a pin-source of its own',
      recovery: 'a recovery recipient',
      call_timeout: 'calls that may hang',
      require_seal: 'a device that keeps a seal',
    },
  },
  keysOfCa: { shape: shapeOfCa, nouns: {} },
  algorithms: ['ed25519', 'es256'],
  otherAlgorithm:
    'a tpm keyring holds P-256 keys (made in the TPM) or Ed25519 keys (under one it sealed)',

  settings(given, { name, stateDir }) {
    const { algorithm, recovery = null, call_timeout, require_seal } = given;
    const pcrs = given.pcrs.toSorted((a, b) => a - b);
    if (new Set(pcrs).size < pcrs.length) throw new TableFault('pcrs', 'has a register twice');
    return {
      backend: 'tpm',
      device: deviceOf(given.device),
      folder: join(stateDir, 'keyrings', `${name}.tpm`),
      sidecarPath: join(stateDir, 'keyrings', `${name}.json`),
      copyPath: secondCopyPath(stateDir, name),
      algorithm,
      pcrs,
      pin: pinOf(given['pin-source']),
      recovery,
      callTimeout: call_timeout * 1000,
      requireSeal: require_seal,
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
  async open(settings, { hosts, pins, refuseProtection, world }) {
    const { name: keyring, algorithm, callTimeout } = settings;
    const vault = await hosts.openVault({
      target: tpmTarget(keyring, settings),
      keyring,
      algorithm: algorithms[algorithm],
      sessions: atATime,
      callTimeout,
      pins,
      refuseProtection,
      noImport: algorithm === 'ed25519' ? noSeedImport : null,
      world,
    });
    return { vault, store: null };
  },
  host: () => ({ ownThreads: 0, environment: [], library: null }),
  serve: async () => (await import('./served.ts')).serveTpm,
  pin: tpmPin,
  isSameDevice: ({ folder: one }, { folder: other }) => one === other,
  backup:
    'is in a TPM, and its keys do not leave it: another machine has keys of its own. (Its folder in the state dir is ' +
    'worth a copy all the same: the TPM alone has not the keys.)',
  async reseal(settings, request, world) {
    const { resealConfigured } = await import('./reseal-configured.ts');
    return resealConfigured(settings, request, world);
  },
  ca: null,
  async examine(settings, looking) {
    const { examineTpm } = await import('./examine.ts');
    return examineTpm(settings, looking);
  },
  firstKey: () => 'by_agent',
  init: {
    place: 'in the TPM of this machine',
    needsConfig: 'a TPM needs a configuration: give --config FILE',
    flags: [
      {
        key: 'device',
        value: '<path>',
        description: 'the device of the TPM, such as /dev/tpmrm0',
        question: 'Device of the TPM (/dev/tpmrm0)',
        missing: 'a tpm keyring needs the device of the TPM: give --device /dev/tpmrm0',
        noun: 'the device of a TPM',
      },
    ],
    table: (_, answers, toml) => `backend = "tpm"
device = ${toml(answers.get('device') ?? '/dev/tpmrm0')}
# algorithm = "es256"     # made in the TPM; "ed25519": under a key that the TPM seals
# recovery = "age1…"      # who can bring the keys back where the TPM or its PCRs change; without: nobody
# pcrs = [7]
# pin-source = "file:/run/credentials/signing-agent/pin"
`,
    firstKeyByAgent: 'its TPM: the agent makes the first key',
  },
  words: {
    withoutPin: 'has no PIN',
    withoutSeal: 'not noticed: the TPM keeps no counter for this program',
  },
};
