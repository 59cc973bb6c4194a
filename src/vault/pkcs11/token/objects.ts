import type { PKCS11, Template } from 'pkcs11js';
import { CKA, CKO, CKR } from './cryptoki.ts';
import { HandleGivenTwice, isReturnValue } from './errors.ts';
import type { KeyName } from '../../key-names.ts';
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
 * Both halves of the keys of that name, private ones first. Searched by class and id alone, since a YubiHSM knows no
 * other filters together, and told by class, id and label as they are read back: no search is taken at its word.
 */
export function findKeyObjects(
  lib: PKCS11,
  session: SessionHandle,
  name: KeyName,
): { readonly privateKeys: readonly ObjectHandle[]; readonly publicKeys: readonly ObjectHandle[] } {
  const ofClass = (objectClass: number): ObjectHandle[] =>
    findObjects(lib, session, [
      { type: CKA.CLASS, value: objectClass },
      { type: CKA.ID, value: Buffer.from(name.objectId, 'hex') },
    ]).filter((object) => isKeyObject(lib, session, object, objectClass, name));
  return { privateKeys: ofClass(CKO.PRIVATE_KEY), publicKeys: ofClass(CKO.PUBLIC_KEY) };
}

/** Whether class, id and label, read through this handle now, are those of that key. */
export function isKeyObject(
  lib: PKCS11,
  session: SessionHandle,
  object: ObjectHandle,
  objectClass: number,
  { objectId, label }: KeyName,
): boolean {
  return (
    numberAttribute(lib, session, object, CKA.CLASS) === objectClass &&
    idOf(lib, session, object) === objectId &&
    textAttribute(lib, session, object, CKA.LABEL) === label
  );
}

/**
 * Whether the token has this object, of that class; for what is about to be removed, or was just made. Throws
 * HandleGivenTwice where its handle is that of another object too.
 */
export function isThere(
  lib: PKCS11,
  session: SessionHandle,
  object: ObjectHandle,
  objectClass: number,
): boolean {
  const among = (template: Template): number => {
    const same = findObjects(lib, session, template).filter((each) => each.equals(object));
    if (same.length > 1) throw new HandleGivenTwice();
    return same.length;
  };
  // A module need not list everything to who names nothing.
  return among([]) === 1 || among([{ type: CKA.CLASS, value: objectClass }]) === 1;
}

/** Whether no object of this session has a lower handle. */
export function isFirst(lib: PKCS11, session: SessionHandle, object: ObjectHandle): boolean {
  const number = (handle: ObjectHandle): bigint => handle.readBigUInt64LE(0);
  return findObjects(lib, session, []).every((each) => number(each) >= number(object));
}

/** CKA_ID in lowercase hex; empty where the object has none. */
export function idOf(lib: PKCS11, session: SessionHandle, object: ObjectHandle): string {
  return bytesAttribute(lib, session, object, CKA.ID)?.toString('hex') ?? '';
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
