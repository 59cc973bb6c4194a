import type { PKCS11 } from 'pkcs11js';
import type { Protection } from '../../../api/signing-backend.ts';
import { CKA, CKF } from './cryptoki.ts';
import {
  booleanAttribute,
  bytesAttribute,
  numberAttribute,
  textAttribute,
  type ObjectHandle,
} from './objects.ts';
import type { SessionHandle } from './sessions.ts';

/** What the token says of a private key; null where it does not say. */
export interface KeyAttributes {
  readonly CKA_LABEL: string | null;
  /** Lowercase hex. */
  readonly CKA_ID: string | null;
  readonly CKA_KEY_TYPE: number | null;
  readonly CKA_TOKEN: boolean | null;
  readonly CKA_PRIVATE: boolean | null;
  readonly CKA_SIGN: boolean | null;
  readonly CKA_SENSITIVE: boolean | null;
  readonly CKA_ALWAYS_SENSITIVE: boolean | null;
  readonly CKA_EXTRACTABLE: boolean | null;
  readonly CKA_NEVER_EXTRACTABLE: boolean | null;
  /** Made in the token, not brought there. */
  readonly CKA_LOCAL: boolean | null;
  readonly CKA_KEY_GEN_MECHANISM: number | null;
}

/** Reads them from the token now. Throws the module's own error. */
export function readKeyAttributes(
  lib: PKCS11,
  session: SessionHandle,
  key: ObjectHandle,
): KeyAttributes {
  const flag = (type: number): boolean | null => booleanAttribute(lib, session, key, type);
  return {
    CKA_LABEL: textAttribute(lib, session, key, CKA.LABEL),
    CKA_ID: bytesAttribute(lib, session, key, CKA.ID)?.toString('hex') ?? null,
    CKA_KEY_TYPE: numberAttribute(lib, session, key, CKA.KEY_TYPE),
    CKA_TOKEN: flag(CKA.TOKEN),
    CKA_PRIVATE: flag(CKA.PRIVATE),
    CKA_SIGN: flag(CKA.SIGN),
    CKA_SENSITIVE: flag(CKA.SENSITIVE),
    CKA_ALWAYS_SENSITIVE: flag(CKA.ALWAYS_SENSITIVE),
    CKA_EXTRACTABLE: flag(CKA.EXTRACTABLE),
    CKA_NEVER_EXTRACTABLE: flag(CKA.NEVER_EXTRACTABLE),
    CKA_LOCAL: flag(CKA.LOCAL),
    CKA_KEY_GEN_MECHANISM: numberAttribute(lib, session, key, CKA.KEY_GEN_MECHANISM),
  };
}

/**
 * Why a private key with these attributes may not be used, null where it may. What the token must say is
 * refused where it is silent, too; CKA_NEVER_EXTRACTABLE alone is unknown to some modules.
 */
export function faultOf(
  key: KeyAttributes,
  wanted: { readonly keyType: number; readonly objectId: string; readonly label: string },
): string | null {
  if (key.CKA_KEY_TYPE !== wanted.keyType) return 'it is of another key type';
  if (key.CKA_ID !== wanted.objectId) return 'the token gave it another CKA_ID';
  if (key.CKA_LABEL !== wanted.label) return 'the token gave it another CKA_LABEL';
  if (key.CKA_SENSITIVE !== true)
    return 'it is not CKA_SENSITIVE: the token may show it in the clear';
  if (key.CKA_EXTRACTABLE !== false)
    return 'it is CKA_EXTRACTABLE: the token may hand it out wrapped';
  if (key.CKA_NEVER_EXTRACTABLE === false) return 'it was CKA_EXTRACTABLE before';
  if (key.CKA_TOKEN !== true) return 'it is not CKA_TOKEN: it would be gone with the session';
  if (key.CKA_PRIVATE !== true) return 'it is not CKA_PRIVATE: it can be used without a PIN';
  if (key.CKA_SIGN !== true) return 'it is not allowed to sign';
  return null;
}

/**
 * `hardware` where the token says so of both mechanisms (CKF_HW) and nothing that it says of its keys
 * contradicts it: made there, never readable, never extractable.
 */
export function protectionOf(
  mechanismFlags: readonly number[],
  keys: Iterable<Pick<KeyAttributes, 'CKA_LOCAL' | 'CKA_SENSITIVE' | 'CKA_NEVER_EXTRACTABLE'>>,
): Protection {
  if (!mechanismFlags.every((flags) => (flags & CKF.HW) !== 0)) return 'software';
  for (const key of keys) {
    if (!(key.CKA_LOCAL && key.CKA_SENSITIVE && key.CKA_NEVER_EXTRACTABLE)) return 'software';
  }
  return 'hardware';
}
