import { MinisignFormatError } from '../../../formats/minisign/format.ts';
import { keyIdText } from '../../../formats/minisign/key-id.ts';
import {
  decodeSignatureFile,
  globalMessage,
  type MinisignSignature,
} from '../../../formats/minisign/signature.ts';
import { digestOf } from '../../shell/digest.ts';
import { knownKeys } from './known-keys.ts';
import { maxLocalMessageBytes, readInput } from '../../shell/message.ts';
import type { GivenKey } from './given-key.ts';
import type { Invocation } from '../../shell/terminal.ts';
import { notValid, type Checked, type VerifyOptions } from './verify-outcome.ts';
import { verifyWithKey } from './verify-with-key.ts';

/**
 * A minisign signature, by the key that was given or by the valid key of the keyring that its key id names. A
 * prehashed one is over a file of any size; in the older form the whole file has to be in memory.
 */
export async function verifyMinisign(
  invocation: Invocation<VerifyOptions>,
  content: Buffer,
): Promise<Checked> {
  const { options } = invocation;
  const signature = readSignature(content);
  if (typeof signature === 'string') return notValid(options, signature);
  const { keys, from, other } = await knownKeys(invocation);
  const key = keys.find((known) => canHaveMade(known, signature));
  if (key === undefined) {
    const made = `it was made by the Ed25519 key that minisign calls ${keyIdText(signature.keyId)}`;
    return notValid(options, `${made}: ${other}`);
  }
  const message = await messageOf(invocation, signature);
  const verification = verifyWithKey(message, signature.signature, key);
  if (!verification.valid) return { verification, checkedBy: from };
  const { trustedComment, globalSignature } = signature;
  const covered = globalMessage(signature.signature, trustedComment);
  if (!verifyWithKey(covered, globalSignature, key).valid) {
    return notValid(options, 'its trusted comment is not the one that was signed');
  }
  const trusted_comment = trustedComment.toString('utf8');
  return {
    verification: { ...verification, trusted_comment },
    checkedBy: from,
    notes: [`trusted comment: ${trusted_comment}`],
  };
}

function readSignature(content: Buffer): MinisignSignature | string {
  try {
    return decodeSignatureFile(content);
  } catch (error) {
    if (!(error instanceof MinisignFormatError)) throw error;
    return `the minisign signature cannot be read: ${error.message}`;
  }
}

function canHaveMade(
  { algorithm, minisignKeyId }: GivenKey,
  { keyId }: MinisignSignature,
): boolean {
  // A key that was given without an id is tried: the id is no part of what is signed.
  return algorithm === 'ed25519' && (minisignKeyId === undefined || minisignKeyId.equals(keyId));
}

function messageOf(
  { terminal, args }: Invocation<VerifyOptions>,
  { isPrehashed }: MinisignSignature,
): Promise<Buffer> {
  return isPrehashed
    ? digestOf(args[0], terminal, 'blake2b512')
    : readInput(args[0], terminal, maxLocalMessageBytes);
}
