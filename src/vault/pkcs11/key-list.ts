import type { PKCS11 } from 'pkcs11js';
import type { Algorithm } from '../../algorithms/algorithm.ts';
import type { VaultObject } from '../vault.ts';
import { CKA, CKO } from './cryptoki.ts';
import { readPublicKey } from './key-pair.ts';
import { bytesAttribute, findObjects, type ObjectHandle } from './objects.ts';
import type { SessionHandle } from './sessions.ts';

/** Everything with this label, both halves of a key as one; a half without the other is listed as such. */
export function listKeys(
  lib: PKCS11,
  session: SessionHandle,
  algorithm: Algorithm,
  label: string,
): VaultObject[] {
  const found = new Map<string, VaultObject>();
  for (const object of findLabelled(lib, session, CKO.PUBLIC_KEY, label)) {
    const objectId = idOf(lib, session, object);
    const publicKey = readPublicKey(lib, session, object, algorithm);
    found.set(objectId, { objectId, publicKey, hasPrivateKey: false });
  }
  for (const object of findLabelled(lib, session, CKO.PRIVATE_KEY, label)) {
    const objectId = idOf(lib, session, object);
    const publicKey = found.get(objectId)?.publicKey ?? null;
    found.set(objectId, { objectId, publicKey, hasPrivateKey: true });
  }
  return [...found.values()];
}

/** Objects of a class with this CKA_LABEL. */
export function findLabelled(
  lib: PKCS11,
  session: SessionHandle,
  objectClass: number,
  label: string,
): ObjectHandle[] {
  return findObjects(lib, session, [
    { type: CKA.CLASS, value: objectClass },
    { type: CKA.LABEL, value: label },
  ]);
}

/** CKA_ID in lowercase hex; empty where the object has none. */
export function idOf(lib: PKCS11, session: SessionHandle, object: ObjectHandle): string {
  return bytesAttribute(lib, session, object, CKA.ID)?.toString('hex') ?? '';
}
