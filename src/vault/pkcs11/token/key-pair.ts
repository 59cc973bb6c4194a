import type { PKCS11 } from 'pkcs11js';
import type { Algorithm } from '../../../algorithms/algorithm.ts';
import { AgentError } from '../../../base/errors.ts';
import { CKA, CKO, CKR } from './cryptoki.ts';
import { HandleGivenTwice, isReturnValue, ProcessIsFull } from './errors.ts';
import type { KeyName } from '../../key-names.ts';
import {
  bytesAttribute,
  findKeyObjects,
  isFirst,
  isKeyObject,
  isThere,
  numberAttribute,
  publicKeyFromEcPoint,
  type ObjectHandle,
} from './objects.ts';
import type { Quirks } from './quirks.ts';
import type { SessionHandle } from './sessions.ts';

/** Its handles. */
export interface KeyPair {
  readonly privateKey: ObjectHandle;
  readonly publicKey: ObjectHandle;
}

/**
 * C_GenerateKeyPair, on this thread: SoftHSM 2.6.1 loses keys, or makes ones without their CKA_ID, where another
 * thread searches meanwhile (native-notes/softhsm.md). Every attribute that decides about safety is named, since modules'
 * defaults differ (an unset CKA_EXTRACTABLE is true in NSS and openCryptoki), and none beyond them, since
 * modules refuse what they do not know. The curve is given in one form first (`curve`); a module that does not know
 * that form answers with one of three errors and is given the other.
 *
 * Throws the module's own error, ProcessIsFull, and HandleGivenTwice where a half has a handle that another object has too; what
 * it may have left behind is the caller's to remove.
 */
export function makeKeyPair(
  lib: PKCS11,
  session: SessionHandle,
  algorithm: Algorithm,
  name: KeyName,
  { curve, processFillsUp }: Pick<Quirks, 'curve' | 'processFillsUp'>,
): KeyPair {
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
  const { ecParams: forms } = algorithm.pkcs11;
  for (const ecParams of curve === 'name' ? forms.toReversed() : forms) {
    const publicTemplate = [...names, { type: CKA.EC_PARAMS, value: ecParams }];
    const mechanism = { mechanism: algorithm.pkcs11.generate };
    try {
      const pair = lib.C_GenerateKeyPair(session, mechanism, publicTemplate, privateTemplate);
      requireMade(lib, session, pair.privateKey, CKO.PRIVATE_KEY, name);
      requireMade(lib, session, pair.publicKey, CKO.PUBLIC_KEY, name);
      return pair;
    } catch (thrown) {
      if (processFillsUp && isReturnValue(thrown, CKR.GENERAL_ERROR)) throw new ProcessIsFull();
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

/** What the module answered with is the new object and no other. */
function requireMade(
  lib: PKCS11,
  session: SessionHandle,
  object: ObjectHandle,
  objectClass: number,
  name: KeyName,
): void {
  if (!isThere(lib, session, object, objectClass)) throw new HandleGivenTwice();
  // Attributes that came back otherwise are refused as such; another class means another object.
  if (numberAttribute(lib, session, object, CKA.CLASS) === objectClass) return;
  throw new AgentError(
    'backend_unavailable',
    `the token made a key ${name.objectId} and answered with another object`,
  );
}

/** What a removal was, beside done. */
export interface Removal {
  /** The object with the lowest handle of this process went, and others stayed. */
  readonly firstWent: boolean;
}

/**
 * Destroys every object of that name, the private half first: a public one left by a kill in between harms
 * nobody. Each is looked at right before: it has its handle alone, and class, id and label read through it are
 * those meant; where `publicKey` is given, so is the public key. An object that is gone already is no error.
 *
 * Throws the module's own error, HandleGivenTwice, or `conflict` where the token has another public key there:
 * then nothing was destroyed.
 */
export function destroyKeyObjects(
  lib: PKCS11,
  session: SessionHandle,
  algorithm: Algorithm,
  name: KeyName,
  publicKey: Uint8Array | null,
): Removal {
  const { privateKeys, publicKeys } = findKeyObjects(lib, session, name);
  if (publicKey !== null)
    requireSamePublicKey(lib, session, algorithm, publicKeys, name, publicKey);
  let firstWent = false;
  const destroy = (object: ObjectHandle, objectClass: number): void => {
    if (!isThere(lib, session, object, objectClass)) return; // a YubiHSM removes both halves at once
    if (!isKeyObject(lib, session, object, objectClass, name)) throw new HandleGivenTwice();
    firstWent ||= isFirst(lib, session, object);
    try {
      lib.C_DestroyObject(session, object);
    } catch (thrown) {
      if (!isReturnValue(thrown, CKR.OBJECT_HANDLE_INVALID)) throw thrown;
    }
  };
  for (const object of privateKeys) destroy(object, CKO.PRIVATE_KEY);
  for (const object of publicKeys) destroy(object, CKO.PUBLIC_KEY);
  return { firstWent };
}

function requireSamePublicKey(
  lib: PKCS11,
  session: SessionHandle,
  algorithm: Algorithm,
  objects: readonly ObjectHandle[],
  { objectId }: KeyName,
  meant: Uint8Array,
): void {
  for (const object of objects) {
    const found = readPublicKey(lib, session, object, algorithm);
    if (found === null || Buffer.compare(found, meant) === 0) continue;
    throw new AgentError(
      'conflict',
      `the token has another public key under object id ${objectId} than the records: nothing was destroyed`,
    );
  }
}
