import type { IdForm } from '../../key-names.ts';
import { CKR } from './cryptoki.ts';
import { isBefore, type DeviceIdentity } from './device.ts';
import { netHsm, p11Kit, simulatedTpm, tpm2Pkcs11, yubiHsm } from './known-devices.ts';
import { resourceManagerWarning } from './tpm-access.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/** What differs from one device or module to the next. */
export interface Quirks {
  readonly ids: IdForm;
  /** Bytes in a CKA_LABEL; null where nothing is known. */
  readonly longestLabel: number | null;
  /** Which CKA_EC_PARAMS are tried first. */
  readonly curve: 'oid' | 'name';
  /**
   * What closes a data object to whoever has not logged in: its CKA_PRIVATE, or the device, which shows nothing
   * before a login and is given no such attribute.
   */
  readonly sealClosedBy: 'attribute' | 'login';
  /** The object with the lowest handle is not destroyed where it can stay: a later one would get another's handle. */
  readonly firstHandleStays: boolean;
  /** CKR_GENERAL_ERROR of C_GenerateKeyPair may mean that another process has room for the key, and this one has none. */
  readonly processFillsUp: boolean;
  /** Bytes that are signed at once where the message goes to the device whole; null where nothing is known. */
  readonly longestMessage: number | null;
  /** Answers to C_Login that mean a wrong PIN, beside CKR_PIN_INCORRECT and its like. */
  readonly wrongPin: readonly number[];
  /** Who ends CKR_PIN_LOCKED, and how; follows "the token has locked its user PIN; ". */
  readonly unlockRemedy: string;
  /** Where the device has no Ed25519: why; completes "...: ". */
  readonly withoutEd25519: string | null;
  /** What attests a key of that id in the place of this program; follows "PKCS#11 has no function for it. ". */
  readonly attestation: (objectId: string) => string;
  /** CKF_HW of its mechanisms means hardware; false for a simulator, which sets it too. */
  readonly hardwareFlagHolds: boolean;
  /** What an operator should know before it happens, by the environment of the module; null where all is well. */
  readonly warning: (environment: Environment) => string | null;
}

/** PKCS#11 as it is written. */
const usual: Quirks = {
  ids: 'time',
  longestLabel: null,
  curve: 'oid',
  sealClosedBy: 'attribute',
  firstHandleStays: false,
  processFillsUp: false,
  longestMessage: null,
  wrongPin: [],
  unlockRemedy: 'its security officer resets it',
  withoutEd25519: null,
  attestation: () =>
    'What the token says of the key is in agentctl keys show, and nothing vouches for it',
  hardwareFlagHolds: true,
  warning: () => null,
};

/** One exception. */
export interface QuirkEntry {
  /** Which devices, for people. */
  readonly device: string;
  readonly fits: (device: DeviceIdentity) => boolean;
  readonly changes: Partial<Quirks>;
  readonly reason: string;
  /** A public document, or a measurement that native-notes/ repeats. */
  readonly source: string;
  /** The file of the test that shows it, and a part of its name. */
  readonly shownBy: readonly [file: string, name: string];
}

/** The exceptions, one an entry. Nobody else asks which device it has in hand. */
export const quirkTable: readonly QuirkEntry[] = [
  {
    device: 'YubiHSM 2',
    fits: yubiHsm,
    changes: { ids: 'two_bytes' },
    reason:
      'CKA_ID is the number of the object, two bytes; a longer one is kept in an object of its own, of 256',
    source: 'YubiHSM 2 user guide, PKCS#11; native-notes/yubihsm.md',
    shownBy: ['test/faults/device-quirks.test.ts', 'an id of two bytes'],
  },
  {
    device: 'YubiHSM 2',
    fits: yubiHsm,
    changes: { longestLabel: 40 },
    reason: 'a label has 40 bytes; a longer one is kept in an object of its own, of 256',
    source: 'YubiHSM 2 user guide, Objects; native-notes/yubihsm.md',
    shownBy: ['test/unit/quirks.test.ts', 'a label that is too long for the device'],
  },
  {
    device: 'YubiHSM 2',
    fits: yubiHsm,
    changes: { curve: 'name' },
    reason: 'the OID of Ed25519 gives CKR_CURVE_NOT_SUPPORTED; the printable name is taken',
    source: 'native-notes/yubihsm.md',
    shownBy: ['test/faults/device-quirks.test.ts', 'the printable name of the curve'],
  },
  {
    device: 'yubihsm-pkcs11 2.6.0 and 2.8.0',
    fits: yubiHsm,
    changes: { sealClosedBy: 'login' },
    reason:
      'C_CreateObject of a data object with CKA_PRIVATE returns with the mutex of the module held, and the next call ' +
      'never returns; without it the object is as closed, since nothing can be seen before a login',
    source: 'native-notes/yubihsm.md',
    shownBy: ['test/faults/device-quirks.test.ts', 'a data object without CKA_PRIVATE'],
  },
  {
    device: 'YubiHSM 2 before firmware 2.4',
    fits: (device) => yubiHsm(device) && isBefore(device.token.firmware, { major: 2, minor: 40 }),
    changes: { longestMessage: 2026 },
    reason: 'a command has 2048 bytes, and a message goes there whole',
    source: 'YubiHSM 2 user guide, Sign Data Eddsa; native-notes/yubihsm.md',
    shownBy: ['test/unit/quirks.test.ts', 'the limit of a message by firmware'],
  },
  {
    device: 'YubiHSM 2, firmware 2.4 and later',
    fits: (device) => yubiHsm(device) && !isBefore(device.token.firmware, { major: 2, minor: 40 }),
    changes: { longestMessage: 3110 },
    reason: 'a command has 3136 bytes, and a message goes there whole',
    source: 'YubiHSM 2 user guide, Sign Data Eddsa; native-notes/yubihsm.md',
    shownBy: ['test/faults/device-quirks.test.ts', 'the limit of the device'],
  },
  {
    device: 'YubiHSM 2',
    fits: yubiHsm,
    changes: {
      attestation: (objectId) =>
        `yubihsm-pkcs11 does not pass on what the device can: yubihsm-shell has it certify key 0x${objectId}, ` +
        'with "attest asymmetric"',
    },
    reason: 'the device signs a certificate of a key, and the module has nothing that asks for it',
    source: 'YubiHSM 2 user guide, Attestation; native-notes/yubihsm.md',
    shownBy: ['test/unit/quirks.test.ts', 'who attests a key'],
  },
  {
    device: 'p11-kit, remote',
    fits: p11Kit,
    changes: {
      withoutEd25519:
        'p11-kit\'s protocol does not pass EdDSA on where the token is remote: set algorithm = "es256", or name the ' +
        'module itself in place of p11-kit',
    },
    reason: 'its protocol has no serialisation of CKM_EDDSA (to 0.26.5)',
    source: 'native-notes/p11-kit.md',
    shownBy: ['test/faults/device-quirks.test.ts', 'Ed25519 asked of a remote token'],
  },
  {
    device: 'tpm2-pkcs11 to 1.9.2',
    fits: tpm2Pkcs11,
    changes: { firstHandleStays: true },
    reason:
      'once the object with the lowest handle is gone, a new object gets the handle of another one',
    source: 'tpm2-pkcs11 issue 931; native-notes/tpm2-pkcs11.md',
    shownBy: ['test/faults/device-quirks.test.ts', 'the first seal stays'],
  },
  {
    device: 'a TPM 2.0 through tpm2-pkcs11',
    fits: tpm2Pkcs11,
    changes: { processFillsUp: true },
    reason:
      'each key that was made or used stays loaded, and tpm2-abrmd holds 27 objects a connection; C_GenerateKeyPair ' +
      'answers CKR_GENERAL_ERROR then, with nothing made',
    source: 'tpm2-abrmd(8), --max-transients; native-notes/tpm2-pkcs11.md',
    shownBy: ['test/devices/tpm-room.test.ts', 'more keys than a connection holds'],
  },
  {
    device: 'a TPM 2.0 through tpm2-pkcs11',
    fits: tpm2Pkcs11,
    changes: {
      unlockRemedy:
        'a TPM in lockout takes no PIN of any token: wait until it has counted down, or end it with ' +
        'tpm2_dictionarylockout --clear-lockout (no security officer can)',
    },
    reason: 'the lockout is of the whole TPM, and its own authorisation or time ends it',
    source: 'TPM 2.0 Library part 1, Dictionary Attack Protection; native-notes/tpm2-pkcs11.md',
    shownBy: ['test/faults/device-quirks.test.ts', 'the command that ends a lockout'],
  },
  {
    device: 'a TPM 2.0 through tpm2-pkcs11',
    fits: tpm2Pkcs11,
    changes: {
      withoutEd25519:
        'no TPM has Ed25519: set algorithm = "es256" for keys that are made in the TPM, or backend = "tpm" for ' +
        'Ed25519 keys that are sealed by it',
    },
    reason: 'the specification reserves the numbers, and no TPM has the algorithm',
    source: 'TCG Algorithm Registry; native-notes/tpm2-pkcs11.md',
    shownBy: ['test/faults/device-quirks.test.ts', 'Ed25519 asked of a TPM'],
  },
  {
    device: 'a TPM 2.0 through tpm2-pkcs11',
    fits: tpm2Pkcs11,
    changes: {
      attestation: () =>
        'A TPM attests the ES256 keys of a keyring with backend = "tpm", which needs no module',
    },
    reason: 'the module does not pass TPM2_Certify on',
    source: 'native-notes/tpm2-pkcs11.md',
    shownBy: ['test/unit/quirks.test.ts', 'who attests a key'],
  },
  {
    device: 'a TPM 2.0 through tpm2-pkcs11',
    fits: tpm2Pkcs11,
    changes: { warning: resourceManagerWarning },
    reason: 'a client that is killed leaves its objects in the TPM, which has room for three',
    source: 'TPM 2.0 Library part 1, Resource Manager; native-notes/tpm2-pkcs11.md',
    shownBy: ['test/unit/quirks.test.ts', 'no resource manager'],
  },
  {
    device: 'a simulated TPM (swtpm) through tpm2-pkcs11',
    fits: simulatedTpm,
    changes: { hardwareFlagHolds: false },
    reason:
      'tpm2-pkcs11 sets CKF_HW whatever is behind it, and a simulator keeps its keys in a file',
    source: 'native-notes/tpm2-pkcs11.md',
    shownBy: ['test/unit/quirks.test.ts', 'a simulated TPM is no hardware'],
  },
  {
    device: 'Nitrokey NetHSM',
    fits: netHsm,
    changes: { ids: 'ascii' },
    reason: 'the id of a key is letters and digits, and CKA_LABEL is the same text',
    source: 'nethsm-pkcs11 2.0.0, its source and documentation; native-notes/nethsm.md',
    shownBy: ['test/faults/device-quirks.test.ts', 'ids of letters and digits'],
  },
  {
    device: 'Nitrokey NetHSM',
    fits: netHsm,
    changes: { wrongPin: [CKR.USER_TYPE_INVALID] },
    reason: 'a wrong PIN is answered with CKR_USER_TYPE_INVALID (0x103)',
    source: 'native-notes/nethsm.md',
    shownBy: ['test/faults/device-quirks.test.ts', 'CKR 0x103 for a wrong PIN'],
  },
];

/** The later entry wins where two say something of one thing. */
export function quirksOf(device: DeviceIdentity): Quirks {
  const changes = quirkTable.filter(({ fits }) => fits(device)).map((entry) => entry.changes);
  return Object.assign({ ...usual }, ...changes) as Quirks;
}
