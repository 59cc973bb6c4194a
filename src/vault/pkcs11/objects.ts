import type { PKCS11, Template } from 'pkcs11js';
import { CKA, CKO, CKR } from './cryptoki.ts';
import { isReturnValue } from './errors.ts';
import type { SessionHandle } from './sessions.ts';

/** CK_OBJECT_HANDLE as the bindings have it: valid in every session of this process (PKCS#11, 2.5). */
export type ObjectHandle = Buffer;

const handlesPerCall = 64;

/** Every object that matches. Throws the module's own error. */
export function findObjects(
  lib: PKCS11,
  session: SessionHandle,
  template: Template,
): ObjectHandle[] {
  lib.C_FindObjectsInit(session, template);
  try {
    const found: ObjectHandle[] = [];
    for (;;) {
      const some = lib.C_FindObjects(session, handlesPerCall);
      if (some.length === 0) return found;
      found.push(...some);
    }
  } finally {
    lib.C_FindObjectsFinal(session);
  }
}

/**
 * Both halves of the keys with this id and label, private ones first. Searched by class and id alone and told
 * apart here: a YubiHSM knows no other filters together.
 */
export function findKeyObjects(
  lib: PKCS11,
  session: SessionHandle,
  key: { readonly objectId: string; readonly label: string },
): { readonly privateKeys: readonly ObjectHandle[]; readonly publicKeys: readonly ObjectHandle[] } {
  const ofClass = (objectClass: number): ObjectHandle[] =>
    findObjects(lib, session, [
      { type: CKA.CLASS, value: objectClass },
      { type: CKA.ID, value: Buffer.from(key.objectId, 'hex') },
    ]).filter((object) => textAttribute(lib, session, object, CKA.LABEL) === key.label);
  return { privateKeys: ofClass(CKO.PRIVATE_KEY), publicKeys: ofClass(CKO.PUBLIC_KEY) };
}

/** null where the token does not know the attribute of this object, or does not tell it. */
export function bytesAttribute(
  lib: PKCS11,
  session: SessionHandle,
  object: ObjectHandle,
  type: number,
): Buffer | null {
  try {
    // One a call: a single unknown attribute fails a call for many.
    const value = lib.C_GetAttributeValue(session, object, [{ type }])[0]?.value;
    return Buffer.isBuffer(value) ? value : null;
  } catch (thrown) {
    if (isReturnValue(thrown, CKR.ATTRIBUTE_TYPE_INVALID, CKR.ATTRIBUTE_SENSITIVE)) return null;
    throw thrown;
  }
}

/** CK_BBOOL. */
export function booleanAttribute(
  lib: PKCS11,
  session: SessionHandle,
  object: ObjectHandle,
  type: number,
): boolean | null {
  const value = bytesAttribute(lib, session, object, type)?.[0];
  return value === undefined ? null : value !== 0;
}

/** CK_ULONG in the machine's own order; values beyond 32 bits do not occur in key types and mechanisms. */
export function numberAttribute(
  lib: PKCS11,
  session: SessionHandle,
  object: ObjectHandle,
  type: number,
): number | null {
  const value = bytesAttribute(lib, session, object, type);
  return value === null || value.length < 4 ? null : value.readUInt32LE(0);
}

/** RFC 2279 string. */
export function textAttribute(
  lib: PKCS11,
  session: SessionHandle,
  object: ObjectHandle,
  type: number,
): string | null {
  return bytesAttribute(lib, session, object, type)?.toString('utf8') ?? null;
}

/**
 * The public key in CKA_EC_POINT. PKCS#11 3.0 (2.3.3) wants a DER OCTET STRING around it; NSS and openCryptoki
 * give the bare point, some modules a BIT STRING. null where it is none of these of that length.
 */
export function publicKeyFromEcPoint(value: Buffer, length: number): Buffer | null {
  if (value.length === length) return value;
  if (value.length === length + 2 && value[0] === 0x04 && value[1] === length) {
    return value.subarray(2);
  }
  if (
    value.length === length + 3 &&
    value[0] === 0x03 &&
    value[1] === length + 1 &&
    value[2] === 0 // unused bits
  ) {
    return value.subarray(3);
  }
  return null;
}
