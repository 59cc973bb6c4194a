import type { AlgorithmName } from '../../api/signing-backend.ts';
import type { SignerFailure, SignerTask } from '../hosted.ts';

/**
 * What the agent and a thread of a vault host that does nothing but sign say to each other, on a channel of their own.
 * Requests are answered in their order, so neither has a number.
 *
 * A request: `u32 length | u8 algorithm | u8 round | session (8 bytes) | key (8 bytes) | u8 length | public key |
 * message`, big-endian, the first `length` counting what follows it. Session and key are handles of PKCS#11 as the module
 * gave them.
 *
 * An answer, `answerBytes` long: `u8 kind | 64 bytes`: the signature, or `u8 step | f64 value` of a failure. A CK_RV
 * may have 64 bits, of which the bindings give the nearest number.
 */

/** What a thread is asked. */
export interface SignerRequest extends SignerTask {
  /**
   * After a failure the thread skips what it is asked in the same round: it was sent by someone who has not heard of
   * the failure, for a session that is about to be closed.
   */
  readonly round: number;
}

export type SignerAnswer =
  /** Asked of nobody: the thread takes requests. */
  | { readonly is: 'ready' }
  /** Verified. A view of what was received. */
  | { readonly is: 'signed'; readonly signature: Uint8Array }
  /** The module has made one that does not verify. */
  | { readonly is: 'wrong' }
  | { readonly is: 'failed'; readonly failure: SignerFailure }
  /** Nothing was tried. */
  | { readonly is: 'skipped' };

const algorithms: readonly AlgorithmName[] = ['ed25519', 'es256'];
const steps: readonly SignerFailure['step'][] = ['init', 'sign', 'length'];
const kinds: readonly SignerAnswer['is'][] = ['ready', 'signed', 'wrong', 'failed', 'skipped'];

/** sizeof(CK_ULONG) where this program runs. */
const handleBytes = 8;
const lengthBytes = 4;
const roundAt = 5;
const sessionAt = 6;
const keyAt = sessionAt + handleBytes;
const publicKeyAt = keyAt + handleBytes;
const signatureBytes = 64;
export const answerBytes = 1 + signatureBytes;

/** Longer messages take the way of everything else, whose buffers grow. */
export const longestOfSigner = 16 * 1024;
/** Room for any request. */
export const longestRequest = publicKeyAt + 1 + 255 + longestOfSigner;

export function signerRequest(
  request: Omit<SignerRequest, 'message' | 'publicKey'> & {
    readonly message: Uint8Array;
    readonly publicKey: Uint8Array;
  },
): Buffer {
  const { message, publicKey } = request;
  const messageAt = publicKeyAt + 1 + publicKey.length;
  const frame = Buffer.allocUnsafe(messageAt + message.length);
  frame.writeUInt32BE(messageAt - lengthBytes + message.length, 0);
  frame[lengthBytes] = algorithms.indexOf(request.algorithm);
  frame[roundAt] = request.round;
  frame.set(request.session, sessionAt);
  frame.set(request.key, keyAt);
  frame[publicKeyAt] = publicKey.length;
  frame.set(publicKey, publicKeyAt + 1);
  frame.set(message, messageAt);
  return frame;
}

/** The length of the request that begins there, whether or not all of it has come; null where that is not known yet. */
export function requestLength(bytes: Buffer, at: number, end: number): number | null {
  return end - at < lengthBytes ? null : lengthBytes + bytes.readUInt32BE(at);
}

/** Of a request that is whole; views of `bytes`. */
export function readSignerRequest(bytes: Buffer, at: number, end: number): SignerRequest {
  const messageAt = at + publicKeyAt + 1 + (bytes[at + publicKeyAt] ?? 0);
  return {
    algorithm: known(algorithms[bytes[at + lengthBytes] ?? NaN]),
    round: bytes[at + roundAt] ?? 0,
    session: bytes.subarray(at + sessionAt, at + keyAt),
    key: bytes.subarray(at + keyAt, at + publicKeyAt),
    publicKey: bytes.subarray(at + publicKeyAt + 1, messageAt),
    message: bytes.subarray(messageAt, end),
  };
}

/** Writes an answer at `at`. */
export function writeAnswer(into: Buffer, at: number, answer: SignerAnswer): void {
  into[at] = kinds.indexOf(answer.is);
  if (answer.is === 'signed') into.set(answer.signature, at + 1);
  if (answer.is === 'failed') writeFailure(into, at + 1, answer.failure);
}

/** Of a whole answer. Throws where it is none: both sides are this program. */
export function readAnswer(bytes: Buffer, at: number): SignerAnswer {
  const end = at + answerBytes;
  const is = known(kinds[bytes[at] ?? NaN]);
  if (is === 'signed') return { is, signature: bytes.subarray(at + 1, end) };
  return is === 'failed' ? { is, failure: readFailure(bytes, at + 1) } : { is };
}

/** The bytes of a failure in a frame of another channel. */
export const failureBytes = 9;

export function writeFailure(into: Buffer, at: number, { step, value }: SignerFailure): void {
  into[at] = steps.indexOf(step);
  into.writeDoubleBE(value, at + 1);
}

export function readFailure(bytes: Buffer, at: number): SignerFailure {
  return { step: known(steps[bytes[at] ?? NaN]), value: bytes.readDoubleBE(at + 1) };
}

function known<T>(value: T | undefined): T {
  if (value === undefined) throw new Error('a frame with a value that it cannot have');
  return value;
}
