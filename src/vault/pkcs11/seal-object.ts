import type { PKCS11 } from 'pkcs11js';
import { AgentError } from '../../base/errors.ts';
import { decodeSeal, encodeSeal } from './seal-form.ts';
import type { Seal, SealStore } from '../vault.ts';
import { CKA, CKO, CKR, nameOfReturnValue } from './cryptoki.ts';
import { isReturnValue, returnValueOf } from './errors.ts';
import { findLabelled } from './key-list.ts';
import { booleanAttribute, bytesAttribute, textAttribute, type ObjectHandle } from './objects.ts';
import type { SessionHandle, SessionPool } from './sessions.ts';

/**
 * The seal of a keyring's records as private data objects (CKO_DATA) under the keyring's label. None is ever
 * changed: another one is made first and the older ones destroyed then, so that a kill in between leaves one
 * that is whole. A half-written one does not carry its own checksum, and counts for nothing.
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

/** The seal of the records of the keyring whose keys have this label. */
export function sealObjects(lib: PKCS11, sessions: SessionPool, label: string): SealStore {
  return {
    read: () =>
      sessions.run('read the seal of its records', (session) => readSeal(lib, session, label)),
    write: (seal) =>
      sessions.run('write the seal of its records', (session) => {
        writeSeal(lib, session, label, seal);
      }),
  };
}

/** The one with the highest counter; null where there is none. Throws the module's own error, or `not_supported`. */
function readSeal(lib: PKCS11, session: SessionHandle, label: string): Seal | null {
  return refusing(() => newest(findSeals(lib, session, label)));
}

/**
 * Throws the module's own error; `not_supported` where it cannot keep a seal or gives back another one;
 * `conflict`, with nothing written, where there is one with a higher counter.
 */
function writeSeal(lib: PKCS11, session: SessionHandle, label: string, seal: Seal): void {
  refusing(() => {
    const before = findSeals(lib, session, label);
    const counter = newest(before)?.counter ?? 0;
    if (counter > seal.counter) {
      throw new AgentError(
        'conflict',
        `the token has a seal with counter ${counter} already, which is higher than ${seal.counter}`,
      );
    }
    const value = encodeSeal(seal);
    try {
      const made = lib.C_CreateObject(session, [
        { type: CKA.CLASS, value: CKO.DATA },
        { type: CKA.TOKEN, value: true },
        { type: CKA.PRIVATE, value: true },
        { type: CKA.LABEL, value: label },
        { type: CKA.APPLICATION, value: application },
        { type: CKA.VALUE, value },
      ]);
      if (!isKept(lib, session, made, value)) {
        lib.C_DestroyObject(session, made);
        throw cannotKeep('what it gives back is not what was written, or is open to everyone');
      }
    } finally {
      value.fill(0);
    }
    for (const { handle } of before) destroyQuietly(lib, session, handle);
  });
}

function isKept(lib: PKCS11, session: SessionHandle, object: ObjectHandle, value: Buffer): boolean {
  const kept = bytesAttribute(lib, session, object, CKA.VALUE);
  const isPrivate = booleanAttribute(lib, session, object, CKA.PRIVATE) === true;
  return isPrivate && kept !== null && kept.equals(value);
}

/** One that others could have written without the PIN (not CKA_PRIVATE) is none of ours, whatever it says. */
function findSeals(lib: PKCS11, session: SessionHandle, label: string): SealObject[] {
  return findLabelled(lib, session, CKO.DATA, label).flatMap((handle): SealObject[] => {
    if (booleanAttribute(lib, session, handle, CKA.PRIVATE) !== true) return [];
    const value = bytesAttribute(lib, session, handle, CKA.VALUE);
    const seal = value === null ? null : decodeSeal(value);
    value?.fill(0);
    if (seal !== null) return [{ handle, seal }];
    const ours = textAttribute(lib, session, handle, CKA.APPLICATION) === application;
    return ours ? [{ handle, seal: null }] : [];
  });
}

function newest(objects: readonly SealObject[]): Seal | null {
  return objects.reduce<Seal | null>(
    (best, { seal }) => (seal !== null && seal.counter >= (best?.counter ?? 0) ? seal : best),
    null,
  );
}

/** One that stays is destroyed by the next write, and until then its lower counter counts for nothing. */
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
