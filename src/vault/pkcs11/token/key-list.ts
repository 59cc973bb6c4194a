import type { PKCS11 } from 'pkcs11js';
import type { Algorithm } from '../../../algorithms/algorithm.ts';
import type { VaultObject } from '../../vault.ts';
import { CKA, CKO } from './cryptoki.ts';
import type { KeyNames } from '../../key-names.ts';
import { readPublicKey } from './key-pair.ts';
import {
  bytesAttribute,
  findObjects,
  idOf,
  numberAttribute,
  textAttribute,
  type ObjectHandle,
} from './objects.ts';
import type { SessionHandle } from './sessions.ts';

/** Every key of these names, both halves of a key as one; a half without the other is listed as such. */
export function listKeys(
  lib: PKCS11,
  session: SessionHandle,
  algorithm: Algorithm,
  names: KeyNames,
): VaultObject[] {
  const found = new Map<string, VaultObject>();
  for (const object of findKeysOf(lib, session, CKO.PUBLIC_KEY, names)) {
    const objectId = idOf(lib, session, object);
    const publicKey = readPublicKey(lib, session, object, algorithm);
    found.set(objectId, { objectId, publicKey, hasPrivateKey: false });
  }
  for (const object of findKeysOf(lib, session, CKO.PRIVATE_KEY, names)) {
    const objectId = idOf(lib, session, object);
    const publicKey = found.get(objectId)?.publicKey ?? null;
    found.set(objectId, { objectId, publicKey, hasPrivateKey: true });
  }
  return [...found.values()];
}

/** One class of a keyring's key objects. */
export function findKeysOf(
  lib: PKCS11,
  session: SessionHandle,
  objectClass: number,
  names: KeyNames,
): ObjectHandle[] {
  const label = names.searchLabel;
  const found =
    label === null
      ? findObjects(lib, session, [{ type: CKA.CLASS, value: objectClass }])
      : findLabelled(lib, session, objectClass, label);
  return found.filter((object) =>
    names.owns(idOf(lib, session, object), label ?? textAttribute(lib, session, object, CKA.LABEL)),
  );
}

/** Objects of a class with this CKA_LABEL, as both are read back. */
export function findLabelled(
  lib: PKCS11,
  session: SessionHandle,
  objectClass: number,
  label: string,
): ObjectHandle[] {
  return findObjects(lib, session, [
    { type: CKA.CLASS, value: objectClass },
    { type: CKA.LABEL, value: label },
  ]).filter(
    (object) =>
      numberAttribute(lib, session, object, CKA.CLASS) === objectClass &&
      textAttribute(lib, session, object, CKA.LABEL) === label,
  );
}

/** CKA_ID, in lowercase hex, of everything that the token shows. */
export function idsInToken(lib: PKCS11, session: SessionHandle): string[] {
  return findObjects(lib, session, []).flatMap(
    (object) => bytesAttribute(lib, session, object, CKA.ID)?.toString('hex') ?? [],
  );
}
