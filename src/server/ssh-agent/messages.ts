import type { AlgorithmName } from '../../api/signing-backend.ts';
import { encodePublicKey, encodeSignature } from '../../formats/ssh/public-key.ts';
import { sshString, uint32 } from '../../formats/ssh/wire.ts';

/** The messages of the agent protocol (RFC 9987; OpenSSH's PROTOCOL.agent), as far as they are used. */

/** First byte of a request. */
export const requestTypes = {
  requestIdentities: 11,
  signRequest: 13,
  lock: 22,
  unlock: 23,
  extension: 27,
} as const;

/** First byte of an answer. */
const answerTypes = {
  failure: 5,
  success: 6,
  identitiesAnswer: 12,
  signResponse: 14,
  extensionResponse: 29,
} as const;

/** Longest message, bytes without its length. */
export const longestMessage = 256 * 1024;

/** Names of extensions. */
export const extensions = {
  /** Names the extensions that there are (RFC 9987). */
  query: 'query',
  /** Says over which SSH session the connection is used (PROTOCOL.agent, section 1). */
  sessionBind: 'session-bind@openssh.com',
} as const;

/** Flags of a sign request that are about RSA keys: which hash. */
export const rsaFlags = 2 | 4;

/** A public key as the agent shows it. */
export interface Identity {
  readonly algorithm: AlgorithmName;
  readonly publicKey: Uint8Array;
  readonly comment: string;
}

export const failure = message(answerTypes.failure);
export const success = message(answerTypes.success);

export function identitiesAnswer(identities: readonly Identity[]): Buffer {
  const parts = identities.flatMap(({ algorithm, publicKey, comment }) => [
    sshString(encodePublicKey(algorithm, publicKey)),
    sshString(comment),
  ]);
  return message(answerTypes.identitiesAnswer, uint32(identities.length), ...parts);
}

/** `raw`: 64 bytes. Written in one piece: there is one a signature. */
export function signResponse(algorithm: AlgorithmName, raw: Uint8Array): Buffer {
  const signature = encodeSignature(algorithm, raw);
  const bytes = Buffer.allocUnsafe(9 + signature.length);
  bytes.writeUInt32BE(5 + signature.length);
  bytes[4] = answerTypes.signResponse;
  bytes.writeUInt32BE(signature.length, 5);
  signature.copy(bytes, 9);
  return bytes;
}

export function queryAnswer(): Buffer {
  const names = Object.values(extensions).map(sshString);
  return message(answerTypes.extensionResponse, sshString(extensions.query), ...names);
}

/** A message with its length before it. */
function message(type: number, ...parts: readonly Uint8Array[]): Buffer {
  return sshString(Buffer.concat([Buffer.of(type), ...parts]));
}
