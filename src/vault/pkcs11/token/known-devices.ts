import type { DeviceIdentity } from './device.ts';

/** How devices are told that need something otherwise than PKCS#11 has it. */

export const yubiHsm = ({ token }: DeviceIdentity): boolean =>
  token.manufacturer.startsWith('Yubico');
export const netHsm = ({ token, library }: DeviceIdentity): boolean =>
  library.manufacturer === 'Nitrokey' ||
  (token.manufacturer === 'Nitrokey' && token.model === 'NetHSM');

/**
 * tpm2-pkcs11 names its slots as its tokens and numbers none of them (a serial of zeros), which tells its tokens
 * behind p11-kit's proxy, where the library is called otherwise.
 */
export const tpm2Pkcs11 = ({ library, slot, token }: DeviceIdentity): boolean =>
  library.manufacturer === 'tpm2-software.github.io' ||
  (/^0+$/.test(token.serial) &&
    slot.description === token.label &&
    slot.manufacturer === token.manufacturer);

/** The vendor string of libtpms and of the reference simulator, which tpm2-pkcs11 shows as the model. */
export const simulatedTpm = (device: DeviceIdentity): boolean =>
  tpm2Pkcs11(device) && /^SW +TPM$/.test(device.token.model);

export const p11Kit = ({ library }: DeviceIdentity): boolean =>
  library.manufacturer === 'PKCS#11 Kit';
