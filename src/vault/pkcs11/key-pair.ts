import type { PKCS11 } from 'pkcs11js';
import type { Algorithm } from '../../algorithms/algorithm.ts';
import { CKA, CKR } from './cryptoki.ts';
import { isReturnValue } from './errors.ts';
import {
  bytesAttribute,
  findKeyObjects,
  numberAttribute,
  publicKeyFromEcPoint,
  type ObjectHandle,
} from './objects.ts';
import type { SessionHandle } from './sessions.ts';

/** Under which names a key stands in the token, on both of its halves. */
export interface KeyName {
  /** CKA_ID in lowercase hex. */
  readonly objectId: string;
  /** CKA_LABEL. */
  readonly label: string;
}

/**
 * C_GenerateKeyPair, on this thread: SoftHSM 2.6.1 loses keys, or makes ones without their CKA_ID, where another
 * thread searches meanwhile (native-notes/softhsm.md). Every attribute that decides about safety is named, since modules'
 * defaults differ (an unset CKA_EXTRACTABLE is true in NSS and openCryptoki), and none beyond them, since
 * modules refuse what they do not know. The curve is given as an OID first; a module that does not know that
 * form (YubiHSM) answers with one of three errors and is given the name.
 *
 * Throws the module's own error; what it may have left behind is the caller's to remove.
 */
export function makeKeyPair(
  lib: PKCS11,
  session: SessionHandle,
  algorithm: Algorithm,
  name: KeyName,
): { readonly privateKey: ObjectHandle; readonly publicKey: ObjectHandle } {
  const id = Buffer.from(name.objectId, 'hex');
  const names = [
    { type: CKA.TOKEN, value: true },
    { type: CKA.ID, value: id },
    { type: CKA.LABEL, value: name.label },
  ];
  const privateTemplate = [
    ...names,
    { type: CKA.PRIVATE, value: true },
    { type: CKA.SENSITIVE, value: true },
    { type: CKA.EXTRACTABLE, value: false },
    { type: CKA.SIGN, value: true },
  ];
  let refusal: unknown;
  for (const ecParams of algorithm.pkcs11.ecParams) {
    const publicTemplate = [...names, { type: CKA.EC_PARAMS, value: ecParams }];
    const mechanism = { mechanism: algorithm.pkcs11.generate };
    try {
      return lib.C_GenerateKeyPair(session, mechanism, publicTemplate, privateTemplate);
    } catch (thrown) {
      if (!isUnknownCurve(thrown)) throw thrown;
      refusal = thrown;
    }
  }
  throw refusal;
}

function isUnknownCurve(thrown: unknown): boolean {
  return isReturnValue(
    thrown,
    CKR.CURVE_NOT_SUPPORTED,
    CKR.DOMAIN_PARAMS_INVALID,
    CKR.GENERAL_ERROR,
  );
}

/** The raw public key of a public key object; null where it is none that this algorithm takes. */
export function readPublicKey(
  lib: PKCS11,
  session: SessionHandle,
  object: ObjectHandle,
  algorithm: Algorithm,
): Buffer | null {
  if (numberAttribute(lib, session, object, CKA.KEY_TYPE) !== algorithm.pkcs11.keyType) return null;
  const ecPoint = bytesAttribute(lib, session, object, CKA.EC_POINT);
  const point = ecPoint && publicKeyFromEcPoint(ecPoint, algorithm.publicKeyLength);
  return point !== null && algorithm.isPublicKey(point) ? point : null;
}

/**
 * Destroys every object of that name, the private half first: a public one left by a kill in between harms
 * nobody. Throws the module's own error; an object that is gone already is no error.
 */
export function destroyKeyObjects(lib: PKCS11, session: SessionHandle, name: KeyName): void {
  const { privateKeys, publicKeys } = findKeyObjects(lib, session, name);
  for (const object of [...privateKeys, ...publicKeys]) {
    try {
      lib.C_DestroyObject(session, object);
    } catch (thrown) {
      if (!isReturnValue(thrown, CKR.OBJECT_HANDLE_INVALID)) throw thrown;
    }
  }
}
