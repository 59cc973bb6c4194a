import type { PKCS11 } from 'pkcs11js';
import type { Slot, Token } from 'graphene-pk11';

/** CK_VERSION. */
export interface Version {
  readonly major: number;
  readonly minor: number;
}

/** What a module, a slot and a token say of themselves, padding taken off. */
export interface DeviceIdentity {
  readonly library: {
    readonly manufacturer: string;
    readonly description: string;
    readonly version: Version;
  };
  readonly slot: {
    /** CK_SLOT_ID in hex, of this run of the module. */
    readonly id: string;
    readonly description: string;
    readonly manufacturer: string;
  };
  readonly token: TokenIdentity & { readonly firmware: Version };
}

/** CK_TOKEN_INFO's four texts. No one of them tells tokens apart: the serial is all zeros in every TPM token. */
export interface TokenIdentity {
  readonly label: string;
  readonly serial: string;
  readonly manufacturer: string;
  readonly model: string;
}

/** Throws the module's own error. */
export function identify(lib: PKCS11, slot: Slot, token: Token): DeviceIdentity {
  const library = lib.C_GetInfo();
  const { slotDescription, manufacturerID } = lib.C_GetSlotInfo(slot.handle);
  const { major, minor } = token.firmwareVersion;
  return {
    library: {
      manufacturer: unpadded(library.manufacturerID),
      description: unpadded(library.libraryDescription),
      version: library.libraryVersion,
    },
    slot: {
      id: slot.handle.toString('hex'),
      description: unpadded(slotDescription),
      manufacturer: unpadded(manufacturerID),
    },
    token: { ...tokenIdentity(token), firmware: { major, minor } },
  };
}

export function tokenIdentity(token: Token): TokenIdentity {
  return {
    label: unpadded(token.label),
    serial: unpadded(token.serialNumber),
    manufacturer: unpadded(token.manufacturerID),
    model: unpadded(token.model),
  };
}

/** `token "prod" (SoftHSM project SoftHSM v2, serial 12ab...)`, for messages. */
export function describeToken(token: TokenIdentity): string {
  return `token ${nameToken(token)}`;
}

/** The same without the noun. */
export function nameToken({ label, serial, manufacturer, model }: TokenIdentity): string {
  const number = serial === '' ? 'no serial' : `serial ${serial}`;
  const device = [manufacturer, model].filter((text) => text !== '').join(' ');
  return `"${label}" (${device === '' ? number : `${device}, ${number}`})`;
}

/** One text for one token in one run of its module: slot, label, serial, manufacturer and model. */
export function tokenKey({ slot, token }: DeviceIdentity): string {
  const { label, serial, manufacturer, model } = token;
  return JSON.stringify([slot.id, label, serial, manufacturer, model]);
}

export function isBefore(version: Version, { major, minor }: Version): boolean {
  return version.major < major || (version.major === major && version.minor < minor);
}

/** PKCS#11 pads with blanks; tpm2-pkcs11 pads the model with NULs. */
function unpadded(text: string): string {
  return text.replaceAll('\0', ' ').trimEnd();
}
