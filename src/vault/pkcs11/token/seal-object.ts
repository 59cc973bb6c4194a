import type { PKCS11 } from 'pkcs11js';
import { AgentError } from '../../../base/errors.ts';
import { decodeSeal, encodeSeal } from './seal-form.ts';
import type { Seal, SealStore } from '../../vault.ts';
import { CKA, CKO, CKR, nameOfReturnValue } from './cryptoki.ts';
import { HandleGivenTwice, isReturnValue, returnValueOf } from './errors.ts';
import { findLabelled } from './key-list.ts';
import {
  booleanAttribute,
  bytesAttribute,
  isFirst,
  isThere,
  numberAttribute,
  textAttribute,
  type ObjectHandle,
} from './objects.ts';
import type { Quirks } from './quirks.ts';
import type { SessionHandle, SessionPool } from './sessions.ts';

/**
 * The seal of a keyring's records as data objects (CKO_DATA) under the keyring's label, closed to who has not logged
 * in. None is ever changed: another one is made first and the older ones destroyed then, so that a kill in between
 * leaves one that is whole. A half-written one does not carry its own checksum, and counts for nothing; so does
 * one that stays because it is the first object of its token.
 */

/**
 * Tells our data objects from others of the same label. Looked at here and never searched by: a YubiHSM finds
 * by class and label alone, and answers with a text of its own instead of this.
 */
const application = 'signing-agent seal';

/** What modules answer that keep no data objects, none of these attributes, or have no room for one. */
const refusals = [
  CKR.ATTRIBUTE_READ_ONLY,
  CKR.ATTRIBUTE_TYPE_INVALID,
  CKR.ATTRIBUTE_VALUE_INVALID,
  CKR.DEVICE_MEMORY,
  CKR.FUNCTION_NOT_SUPPORTED,
  CKR.TEMPLATE_INCOMPLETE,
  CKR.TEMPLATE_INCONSISTENT,
  CKR.TOKEN_WRITE_PROTECTED,
];

interface SealObject {
  readonly handle: ObjectHandle;
  /** null where it was half written. */
  readonly seal: Seal | null;
}

/** Where a keyring's seal is. */
interface Place {
  readonly lib: PKCS11;
  readonly session: SessionHandle;
  /** CKA_LABEL. */
  readonly label: string;
  readonly quirks: SealQuirks;
}

type SealQuirks = Pick<Quirks, 'sealClosedBy' | 'firstHandleStays'>;

/** The seal of the records of the keyring with this label. */
export function sealObjects(
  lib: PKCS11,
  sessions: SessionPool,
  label: string,
  quirks: SealQuirks,
): SealStore {
  return {
    read: () =>
      sessions.run('read the seal of its records', (session) =>
        readSeal({ lib, session, label, quirks }),
      ),
    write: (seal) =>
      sessions.run('write the seal of its records', (session) => {
        writeSeal({ lib, session, label, quirks }, seal);
      }),
  };
}

/** The one with the highest counter; null where there is none. Throws the module's own error, or `not_supported`. */
function readSeal(place: Place): Seal | null {
  return refusing(() => newest(findSeals(place)));
}

/**
 * Throws the module's own error; `not_supported` where it cannot keep a seal or gives back another one;
 * `conflict`, with nothing written, where there is one with a higher counter; HandleGivenTwice where it may be
 * written already and another process must look.
 */
function writeSeal(place: Place, seal: Seal): void {
  refusing(() => {
    const all = findSeals(place);
    const counter = newest(all)?.counter ?? 0;
    if (counter > seal.counter) {
      throw new AgentError(
        'conflict',
        `the token has a seal with counter ${counter} already, which is higher than ${seal.counter}`,
      );
    }
    // A process before this one may have come so far.
    const written = all.find((each) => isSame(each.seal, seal));
    if (written === undefined) makeSeal(place, seal);
    for (const older of all) if (older !== written) removeSeal(place, older);
  });
}

function makeSeal({ lib, session, label, quirks }: Place, seal: Seal): void {
  const value = encodeSeal(seal);
  const closed = quirks.sealClosedBy === 'attribute' ? [{ type: CKA.PRIVATE, value: true }] : [];
  try {
    const made = lib.C_CreateObject(session, [
      { type: CKA.CLASS, value: CKO.DATA },
      { type: CKA.TOKEN, value: true },
      ...closed,
      { type: CKA.LABEL, value: label },
      { type: CKA.APPLICATION, value: application },
      { type: CKA.VALUE, value },
    ]);
    if (!isThere(lib, session, made, CKO.DATA)) throw new HandleGivenTwice();
    const kept = bytesAttribute(lib, session, made, CKA.VALUE);
    if (kept?.equals(value) === true && isClosed(lib, session, made, quirks)) return;
    // Only what is surely the new object may go: another's has another label or class.
    if (isOurs({ lib, session, label, quirks }, made)) lib.C_DestroyObject(session, made);
    throw cannotKeep('what it gives back is not what was written, or is open to everyone');
  } finally {
    value.fill(0);
  }
}

/** One that stays is destroyed by the next write, and until then its lower counter counts for nothing. */
function removeSeal(place: Place, { handle, seal }: SealObject): void {
  const { lib, session, quirks } = place;
  if (quirks.firstHandleStays && isFirst(lib, session, handle)) return;
  if (!isThere(lib, session, handle, CKO.DATA)) return;
  const [now] = sealAt(place, handle);
  if (now === undefined || !isSame(now.seal, seal)) throw new HandleGivenTwice();
  destroyQuietly(lib, session, handle);
}

/** Halves of seals are all the same: null. */
function isSame(a: Seal | null, b: Seal | null): boolean {
  if (a === null || b === null) return a === b;
  return a.counter === b.counter && Buffer.compare(a.key, b.key) === 0;
}

/** One that others could have written without the PIN is none of ours, whatever it says. */
function isClosed(
  lib: PKCS11,
  session: SessionHandle,
  object: ObjectHandle,
  { sealClosedBy }: SealQuirks,
): boolean {
  return sealClosedBy === 'login' || booleanAttribute(lib, session, object, CKA.PRIVATE) === true;
}

function isOurs({ lib, session, label }: Place, object: ObjectHandle): boolean {
  return (
    numberAttribute(lib, session, object, CKA.CLASS) === CKO.DATA &&
    textAttribute(lib, session, object, CKA.LABEL) === label &&
    textAttribute(lib, session, object, CKA.APPLICATION) === application
  );
}

function findSeals(place: Place): SealObject[] {
  const { lib, session, label } = place;
  return findLabelled(lib, session, CKO.DATA, label).flatMap((handle) => sealAt(place, handle));
}

/** The seal that is read through this handle; none where it is no seal of ours. */
function sealAt(place: Place, handle: ObjectHandle): SealObject[] {
  const { lib, session, quirks } = place;
  if (!isClosed(lib, session, handle, quirks)) return [];
  const value = bytesAttribute(lib, session, handle, CKA.VALUE);
  const seal = value === null ? null : decodeSeal(value);
  value?.fill(0);
  if (seal !== null) return [{ handle, seal }];
  return isOurs(place, handle) ? [{ handle, seal: null }] : [];
}

function newest(objects: readonly SealObject[]): Seal | null {
  return objects.reduce<Seal | null>(
    (best, { seal }) => (seal !== null && seal.counter >= (best?.counter ?? 0) ? seal : best),
    null,
  );
}

function destroyQuietly(lib: PKCS11, session: SessionHandle, object: ObjectHandle): void {
  try {
    lib.C_DestroyObject(session, object);
  } catch (thrown) {
    if (!isReturnValue(thrown, CKR.OBJECT_HANDLE_INVALID, ...refusals)) throw thrown;
  }
}

function refusing<T>(work: () => T): T {
  try {
    return work();
  } catch (thrown) {
    if (!isReturnValue(thrown, ...refusals)) throw thrown;
    throw cannotKeep(nameOfReturnValue(returnValueOf(thrown) ?? 0), thrown);
  }
}

function cannotKeep(reason: string, cause?: unknown): AgentError {
  return new AgentError('not_supported', `the token cannot keep a private data object: ${reason}`, {
    cause,
  });
}
