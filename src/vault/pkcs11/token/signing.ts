import type { PKCS11 } from 'pkcs11js';
import { AgentError } from '../../../base/errors.ts';
import type { Algorithm } from '../../../algorithms/algorithm.ts';
import { signatureLength } from '../../../algorithms/token-signatures.ts';
import type { SignerFailure } from '../../hosted.ts';
import { CKR, nameOfReturnValue } from './cryptoki.ts';
import { isReturnValue, ReturnValueError, returnValueOf } from './errors.ts';
import type { ObjectHandle } from './objects.ts';
import type { SessionHandle } from './sessions.ts';

/**
 * C_SignInit here, C_Sign on a thread of libuv's pool. Answers 64 bytes; rejects with the module's own error,
 * or with `not_supported` and `too_large` where it refuses this message as such. `longest`: bytes that the device is
 * known to take at once; null where nothing is known.
 *
 * The message must not change until this settles: the module may read it in place.
 */
export function signWith(
  lib: PKCS11,
  session: SessionHandle,
  algorithm: Algorithm,
  key: ObjectHandle,
  message: Uint8Array,
  longest: number | null,
): Promise<Buffer> {
  const input = inputOf(algorithm, message, longest);
  begin(lib, session, algorithm, key);
  return new Promise((resolve, reject) => {
    const output = Buffer.allocUnsafe(signatureLength);
    // The bindings keep neither buffer alive while the thread works on them; this callback does, which is why
    // it looks at `input` and `output` whatever the outcome.
    lib.C_Sign(session, input, output, (error: Error | null, signature) => {
      if (error !== null) {
        reject(explain(error, input.length));
      } else if (signature.length !== output.length) {
        reject(wrongLength(signature));
      } else {
        resolve(signature);
      }
    });
  });
}

/** The same on this thread: sooner for a signature alone. Throws what `signWith` rejects with. */
export function signHere(
  lib: PKCS11,
  session: SessionHandle,
  algorithm: Algorithm,
  key: ObjectHandle,
  message: Uint8Array,
  longest: number | null,
): Buffer {
  const input = inputOf(algorithm, message, longest);
  begin(lib, session, algorithm, key);
  let signature: Buffer;
  try {
    signature = lib.C_Sign(session, input, Buffer.allocUnsafe(signatureLength));
  } catch (error) {
    throw error instanceof Error ? explain(error, input.length) : error;
  }
  if (signature.length === signatureLength) return signature;
  throw wrongLength(signature);
}

/**
 * The token listed the mechanism when it was opened. yubihsm-pkcs11 that was answered 503 by its connector as it began
 * refuses every mechanism from then on: only another process gets it out of this.
 */
function begin(lib: PKCS11, session: SessionHandle, algorithm: Algorithm, key: ObjectHandle): void {
  try {
    lib.C_SignInit(session, { mechanism: algorithm.pkcs11.sign }, key);
  } catch (error) {
    throw explainInit(error);
  }
}

function explainInit(error: unknown): unknown {
  if (!isReturnValue(error, CKR.MECHANISM_INVALID)) return error;
  return new AgentError(
    'backend_unavailable',
    'the module refuses a mechanism that it has listed (CKR_MECHANISM_INVALID)',
    { cause: new ReturnValueError(CKR.DEVICE_ERROR) },
  );
}

function wrongLength({ length }: { readonly length: number }): AgentError {
  return new AgentError('backend_unavailable', `a signature of ${length} bytes came back`);
}

/**
 * What `signHere` would have thrown where a thread failed so on a message of that many bytes; null where the thread met
 * something that was no return value, which says nothing of the token.
 */
export function failureOnThread({ step, value }: SignerFailure, length: number): unknown {
  if (step === 'length') return wrongLength({ length: value });
  if (value === 0) return null;
  const error = new ReturnValueError(value);
  return step === 'init' ? explainInit(error) : explain(error, length);
}

/** What a module's refusal means depends on the length that it was given. */
function explain(error: Error, length: number): Error {
  const refused = [CKR.ARGUMENTS_BAD, CKR.DATA_INVALID, CKR.DATA_LEN_RANGE];
  if (!isReturnValue(error, ...refused)) return error;
  const reason = nameOfReturnValue(returnValueOf(error) ?? 0);
  if (length === 0) {
    return new AgentError(
      'not_supported',
      `this token does not sign an empty message (${reason})`,
      {
        cause: error,
      },
    );
  }
  if (!isReturnValue(error, CKR.DATA_LEN_RANGE)) return error;
  return tooLarge(`${length} bytes at once (${reason})`, null, error); // PKCS#11 has no way to ask for it
}

function tooLarge(what: string, limit: number | null, cause?: unknown): AgentError {
  return new AgentError(
    'too_large',
    `this token does not sign ${what}; sign a digest of the message instead`,
    { details: { limit }, cause },
  );
}

/** Refuses first what the device would: it may answer with an error that says nothing of a length. */
function inputOf(algorithm: Algorithm, message: Uint8Array, longest: number | null): Buffer {
  const input = asInput(algorithm.toBeSigned(message));
  if (longest === null || input.length <= longest) return input;
  throw tooLarge(`${input.length} bytes at once, ${longest} at most`, longest);
}

/**
 * The same bytes as the bindings want them, not copied. No bytes always become a NULL pointer: a view of none
 * inside a larger buffer would have an address, and with that SoftHSM goes on to index an empty vector, which
 * aborts the process where it was built with the C++ library's assertions (Fedora).
 */
function asInput(bytes: Uint8Array): Buffer {
  if (bytes.length === 0) return Buffer.alloc(0);
  return Buffer.isBuffer(bytes)
    ? bytes
    : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
