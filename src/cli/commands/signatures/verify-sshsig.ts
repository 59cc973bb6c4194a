import { kidOf } from '../../../algorithms/kid.ts';
import { allowance } from '../../../formats/ssh/allowed-signers.ts';
import {
  decodePublicKey,
  decodeSignature,
  fingerprint,
  sshTypeOf,
} from '../../../formats/ssh/public-key.ts';
import type { SshPublicKey } from '../../../formats/ssh/public-key.ts';
import { decodeSshsig, sshsigMessage, type Sshsig } from '../../../formats/ssh/sshsig.ts';
import { SshFormatError } from '../../../formats/ssh/wire.ts';
import { digestOf } from '../../shell/digest.ts';
import { knownKeys } from './known-keys.ts';
import { readInput } from '../../shell/message.ts';
import { defaultNamespace } from './sshsig-namespace.ts';
import type { Invocation } from '../../shell/terminal.ts';
import { notValid, type Checked, type VerifyOptions } from './verify-outcome.ts';
import { verifyWithKey } from './verify-with-key.ts';

/** Of an allowed-signers file, bytes. */
const maxAllowedSignersBytes = 16 * 1024 * 1024;

/**
 * An armored ssh signature over a file of any size: for the namespace that is expected, and by a key of the
 * allowed-signers file, else by the key that was given or a valid one of the keyring.
 */
export async function verifySshsig(
  invocation: Invocation<VerifyOptions>,
  content: Buffer,
): Promise<Checked> {
  const { terminal, args, options } = invocation;
  const read = readSignature(content);
  if ('reason' in read) return notValid(options, read.reason);
  const { signature, key, raw } = read;
  const expected = options.namespace ?? defaultNamespace;
  if (signature.namespace !== expected) {
    const why = `it is for namespace ${signature.namespace}, and not for ${expected}`;
    return notValid(options, `${why} (--namespace)`);
  }
  const trust = await trusted(invocation, signature, key);
  if ('reason' in trust) return notValid(options, trust.reason);
  const digest = await digestOf(args[0], terminal, signature.hash);
  const verification = verifyWithKey(sshsigMessage(signature, digest), raw, key);
  const { identity } = options;
  if (!verification.valid || identity === undefined) return { verification, ...trust };
  const signer = `${identity} with key ${kidOf(key.bytes)}`;
  return { verification: { ...verification, identity }, signer, ...trust };
}

interface Readable {
  readonly signature: Sshsig;
  readonly key: SshPublicKey;
  /** 64 bytes. */
  readonly raw: Buffer;
}

function readSignature(content: Buffer): Readable | { readonly reason: string } {
  const unreadable = (why: string): { reason: string } => ({
    reason: `the ssh signature cannot be read: ${why}`,
  });
  try {
    const signature = decodeSshsig(content.toString('latin1'));
    const key = decodePublicKey(signature.publicKey);
    if (key === null) return { reason: foreignKey(signature.publicKey) };
    const made = decodeSignature(signature.signature);
    if (made?.algorithm === key.algorithm) return { signature, key, raw: made.raw };
    return unreadable('what it has for a signature is none by a key of its type');
  } catch (error) {
    if (error instanceof SshFormatError) return unreadable(error.message);
    throw error;
  }
}

function foreignKey(blob: Buffer): string {
  const type = sshTypeOf(blob) ?? 'that cannot be read';
  return `it was made by a key of type ${type}: only ssh-ed25519 and ecdsa-sha2-nistp256 are known here`;
}

/** Whether this key may have signed, before a long file is read. */
async function trusted(
  invocation: Invocation<VerifyOptions>,
  { namespace, publicKey }: Sshsig,
  key: SshPublicKey,
): Promise<{ readonly checkedBy: string } | { readonly reason: string }> {
  const { terminal, options } = invocation;
  const { allowedSigners: path, identity } = options;
  if (path !== undefined && identity !== undefined) {
    const file = await readInput(path, terminal, maxAllowedSignersBytes);
    const found = allowance(file, { identity, namespace, publicKey }, terminal.now());
    return 'line' in found
      ? { checkedBy: `${path}, line ${found.line}` }
      : { reason: `${path}: ${found.reason}` };
  }
  const { keys, from, other } = await knownKeys(invocation);
  const isKnown = keys.some(
    ({ algorithm, bytes }) => algorithm === key.algorithm && bytes.equals(key.bytes),
  );
  if (isKnown) return { checkedBy: from };
  const made = `it was made by key ${kidOf(key.bytes)} (${fingerprint(publicKey)})`;
  return { reason: `${made}: ${other}` };
}
