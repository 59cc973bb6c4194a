import { existsSync } from 'node:fs';
import type { Device, Difference } from './device.ts';
import { makeNssToken, nssModule } from './setup/nss.ts';
import { makeOpenCryptokiToken } from './setup/opencryptoki.ts';
import { makeP11KitToken, p11KitProxy } from './setup/p11-kit.ts';
import { debianRoot, rootUnavailable } from './setup/root.ts';
import { makeSoftHsmToken } from './setup/softhsm.ts';
import { makeTpmToken, tpmModule } from './setup/tpm.ts';
import { makeBareTpm, swtpmUnavailable } from './setup/bare-tpm.ts';
import { makeYubiHsmToken, yubihsmModule } from './setup/yubihsm.ts';

/** Every kind of token that the suite runs on. What differs from one to the next is here, and nowhere else. */

const missing = (what: string, found: string | null): string | null =>
  found === null ? `${what} is not here: scripts/install-test-deps puts it there` : null;

const softHsmRefusesNothing: Difference<'not_supported'> = {
  value: 'not_supported',
  why: 'SoftHSM 2.6 answers C_Sign of no bytes with CKR_ARGUMENTS_BAD, before the key is asked',
};

export const softhsm: Device = {
  name: 'softhsm',
  title: 'SoftHSM',
  emulator: null,
  release: 'installed',
  algorithms: ['ed25519', 'es256'],
  always: ['ed25519'],
  without: null,
  protection: 'software',
  emptyMessage: { ed25519: softHsmRefusesNothing },
  unavailable: () =>
    existsSync('/usr/lib/softhsm/libsofthsm2.so') ? null : missing('SoftHSM', null),
  make: () => makeSoftHsmToken(),
};

export const p11Kit: Device = {
  ...softhsm,
  name: 'p11-kit-proxy',
  title: 'p11-kit-proxy, SoftHSM behind it',
  unavailable: () => missing('p11-kit-proxy', p11KitProxy()),
  make: () => makeP11KitToken(),
};

export const tpm: Device = {
  name: 'tpm',
  title: 'TPM 2.0 through tpm2-pkcs11 and tpm2-abrmd',
  emulator: 'swtpm, which simulates a TPM',
  release: 'installed',
  algorithms: ['es256'],
  always: ['es256'],
  without: 'no TPM on sale has Ed25519, and the specification only reserves its numbers',
  protection: 'software', // it is a simulator, and says so: manufacturer "IBM", model "SW   TPM"
  wrongPins: {
    value: 1,
    why: 'three wrong PINs lock the whole TPM, and a right one in between takes none of them back',
  },
  unavailable: () => missing('tpm2-pkcs11', tpmModule()),
  make: () => makeTpmToken(),
};

/** What `list_keys` says of keys that are under a TPM without a module, where it has sealed to PCR 7 and a PIN. */
const underTpm: NonNullable<Device['evidence']> = {
  es256: {
    made: 'in the TPM',
    ...{ fixedTPM: true, fixedParent: true, sensitiveDataOrigin: true, sign: true },
    ...{ restricted: false, decrypt: false, noDA: true },
    authorization: 'kept under the sealed key',
    tpm_is_emulated: true,
  },
  ed25519: {
    made: 'outside of the TPM, which has no Ed25519',
    at_rest: 'under a key that the TPM has sealed',
    in_use: 'in memory',
    ...{ sealed_to_pcrs: [7], sealed_with_pin: true, tpm_is_emulated: true },
  },
};

export const bareTpm: Device = {
  name: 'tpm-bare',
  title: 'TPM 2.0 without a module (backend = "tpm")',
  emulator: 'swtpm, which simulates a TPM',
  backend: 'tpm',
  release: 'installed',
  algorithms: ['es256', 'ed25519'],
  always: ['es256', 'ed25519'],
  without: null,
  protection: 'software', // a simulator, by what it says of its maker
  evidence: underTpm,
  attests: ['es256'],
  doctor: {
    running: /^warning +default: TPM +.*serves one program at a time/m,
    stopped: /^warning +default: TPM +IBM SW TPM, firmware \S+: an emulator/m,
  },
  wrongPins: {
    value: 1,
    why: 'some wrong PINs lock the whole TPM, and a right one in between takes none of them back',
  },
  unavailable: () => swtpmUnavailable(),
  make: () => makeBareTpm(),
};

export const yubihsm: Device = {
  name: 'yubihsm',
  title: 'YubiHSM 2 (firmware 2.4) through yubihsm-pkcs11',
  emulator: "the project's own emulator of device and connector",
  release: 'installed',
  algorithms: ['ed25519', 'es256'],
  always: ['ed25519', 'es256'],
  without: null,
  protection: 'hardware',
  messageLimit: {
    ed25519: {
      value: 3110,
      why: 'the device signs the message itself, and takes no longer command than its buffer',
    },
  },
  privateDataObjects: {
    value: false,
    why: 'yubihsm-pkcs11 returns from C_CreateObject with CKA_PRIVATE with its mutex held, and hangs from then on',
  },
  idBytes: {
    value: 2,
    why: 'an id of two bytes is the object number itself; any other needs a second object of the 256',
  },
  unavailable: () => missing('yubihsm-pkcs11', yubihsmModule()),
  make: () => makeYubiHsmToken({ idleMs: 3000 }),
};

export const nss: Device = {
  name: 'nss',
  title: 'NSS softokn',
  emulator: null,
  release: 'installed',
  algorithms: ['es256'],
  always: ['es256'],
  without: 'EdDSA came with NSS 3.110',
  protection: 'software',
  keepsSeal: {
    value: false,
    why: 'NSS keeps no data objects in a token: C_CreateObject answers CKR_ATTRIBUTE_VALUE_INVALID',
  },
  attributes: {
    CKA_LOCAL: { value: false, why: 'NSS says CKA_LOCAL = false of every key, its own included' },
  },
  dataObjects: { value: false, why: 'as above: it keeps none at all' },
  unavailable: () => missing('NSS', nssModule()),
  make: () => makeNssToken(),
};

/** NSS as a later release has it. */
function laterNss(release: 'trixie' | 'forky'): Device {
  return {
    ...nss,
    name: `nss-${release}`,
    title: `NSS softokn of Debian ${release}`,
    release,
    algorithms: ['ed25519', 'es256'],
    always: [],
    without: null,
    unavailable: () => rootUnavailable(release),
    make: () => makeNssToken(debianRoot(release).launcher, debianRoot(release).path),
  };
}

export const nssTrixie = laterNss('trixie');
export const nssForky = laterNss('forky');

export const yubihsmForky: Device = {
  ...yubihsm,
  name: 'yubihsm-forky',
  title: 'YubiHSM 2 (firmware 2.4) through yubihsm-pkcs11 of Debian forky',
  release: 'forky',
  always: [],
  unavailable: () => rootUnavailable('forky'),
  make: () =>
    makeYubiHsmToken({ idleMs: 3000 }, debianRoot('forky').launcher, debianRoot('forky').path),
};

export const openCryptoki: Device = {
  name: 'opencryptoki-forky',
  title: "openCryptoki's soft token of Debian forky",
  emulator: null,
  release: 'forky',
  algorithms: ['ed25519', 'es256'],
  always: [],
  without: null,
  protection: 'software',
  emptyMessage: {
    ed25519: {
      value: 'not_supported',
      why: 'openCryptoki 3.27 answers C_Sign of no bytes with CKR_ARGUMENTS_BAD',
    },
  },
  unavailable: () => rootUnavailable('forky'),
  make: () => makeOpenCryptokiToken(debianRoot('forky')),
};

export const devices: readonly Device[] = [
  ...[softhsm, p11Kit, tpm, bareTpm, yubihsm, nss],
  ...[nssTrixie, nssForky, yubihsmForky, openCryptoki],
];
