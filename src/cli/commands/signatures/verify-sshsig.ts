import { kidOf } from '../../../algorithms/kid.ts';
import { allowance } from '../../../formats/ssh/allowed-signers.ts';
import {
  decodePublicKey,
  decodeSignature,
  encodePublicKey,
  fingerprint,
  sshTypeOf,
} from '../../../formats/ssh/public-key.ts';
import { decodeSshsig, sshsigMessage, type Sshsig } from '../../../formats/ssh/sshsig.ts';
import { blobVerifies, readVerificationKey } from '../../../formats/ssh/verification-key.ts';
import { SshFormatError } from '../../../formats/ssh/wire.ts';
import { digestOf } from '../../shell/digest.ts';
import { knownKeys } from './known-keys.ts';
import { readInput } from '../../shell/message.ts';
import { sshBlobFrom } from './public-key.ts';
import { revocationOf } from './revoked-file.ts';
import { defaultNamespace } from './sshsig-namespace.ts';
import type { Invocation } from '../../shell/terminal.ts';
import { notValid, type Checked, type VerifyOptions } from './verify-outcome.ts';
import { timeOf } from './verify-time.ts';
import { verifyWithKey } from './verify-with-key.ts';

/** Of an allowed-signers file, bytes. */
const maxAllowedSignersBytes = 16 * 1024 * 1024;
/** As short as the modulus of an RSA key may be, bits: below, keys can be found by computing. */
const fewestModulusBits = 2048;

/**
 * An armored ssh signature over a file of any size: for the namespace that is expected, and by a key of the
 * allowed-signers file, else by the key that was given or a valid one of the keyring, unless it is among the revoked.
 */
export async function verifySshsig(
  invocation: Invocation<VerifyOptions>,
  content: Buffer,
): Promise<Checked> {
  const { terminal, args, options } = invocation;
  const read = readSignature(content);
  if ('reason' in read) return notValid(options, read.reason);
  const { signature, signer } = read;
  const expected = options.namespace ?? defaultNamespace;
  if (signature.namespace !== expected) {
    const why = `it is for namespace ${signature.namespace}, and not for ${expected}`;
    return notValid(options, `${why} (--namespace)`);
  }
  const revoked = await revocationOf(signature.publicKey, options.revoked, terminal);
  if (revoked !== null) return notValid(options, revoked);
  const trust = await trusted(invocation, signature, signer);
  if ('reason' in trust) return notValid(options, trust.reason);
  const digest = await digestOf(args[0], terminal, signature.hash);
  const verification = signer.verify(sshsigMessage(signature, digest));
  const { identity } = options;
  if (!verification.valid) return { verification, ...trust };
  const key = signer.kid === null ? { fingerprint: signer.name } : {};
  return {
    verification: { ...verification, ...key, ...(identity === undefined ? {} : { identity }) },
    signer: identity === undefined ? signer.name : `${identity} with key ${signer.name}`,
    ...trust,
  };
}

/** Whose signature it is. */
interface SshSigner {
  /** null: of a type that no keyring has. */
  readonly kid: string | null;
  /** For people: the kid, else the fingerprint. */
  readonly name: string;
  readonly verify: (message: Uint8Array) => Checked['verification'];
}

interface Readable {
  readonly signature: Sshsig;
  readonly signer: SshSigner;
}

function readSignature(content: Buffer): Readable | { readonly reason: string } {
  try {
    const signature = decodeSshsig(content.toString('latin1'));
    const signer = ownSigner(signature) ?? otherSigner(signature);
    return 'reason' in signer ? signer : { signature, signer };
  } catch (error) {
    if (error instanceof SshFormatError) return unreadable(error.message);
    throw error;
  }
}

function unreadable(why: string): { readonly reason: string } {
  return { reason: `the ssh signature cannot be read: ${why}` };
}

/** By a key such as keyrings have; null where it is by another one. */
function ownSigner({
  publicKey,
  signature,
}: Sshsig): SshSigner | { readonly reason: string } | null {
  const key = decodePublicKey(publicKey);
  if (key === null) return null;
  const made = decodeSignature(signature);
  if (made?.algorithm !== key.algorithm) {
    return unreadable('what it has for a signature is none by a key of its type');
  }
  const kid = kidOf(key.bytes);
  return { kid, name: kid, verify: (message) => verifyWithKey(message, made.raw, key) };
}

/** By a key of any other type that ssh-keygen verifies with. Throws SshFormatError. */
function otherSigner({ publicKey, signature }: Sshsig): SshSigner | { readonly reason: string } {
  const key = readVerificationKey(publicKey);
  const made = `it was made by a key of type ${sshTypeOf(publicKey) ?? 'that cannot be read'}`;
  if (key === null) return { reason: `${made}, which is not known here` };
  if (key.modulusBits > 0 && key.modulusBits < fewestModulusBits) {
    const bits = `${key.modulusBits} bits, and ${fewestModulusBits} is the least that is accepted`;
    return { reason: `${made} with ${bits}` };
  }
  const refuse = (reason: string): Checked['verification'] => ({ valid: false, kid: null, reason });
  return {
    kid: null,
    name: fingerprint(publicKey),
    verify(message) {
      try {
        if (blobVerifies(key, signature, message)) return { valid: true, kid: null };
        return refuse('the signature does not fit this message and key');
      } catch (error) {
        if (error instanceof SshFormatError) return refuse(unreadable(error.message).reason);
        throw error;
      }
    },
  };
}

/** Whether this key may have signed, before a long file is read. */
async function trusted(
  invocation: Invocation<VerifyOptions>,
  { namespace, publicKey }: Sshsig,
  { kid }: SshSigner,
): Promise<{ readonly checkedBy: string } | { readonly reason: string }> {
  const { terminal, options } = invocation;
  const { allowedSigners: path, identity } = options;
  if (path !== undefined && identity !== undefined) {
    const file = await readInput(path, terminal, maxAllowedSignersBytes);
    const now = timeOf(options.at) ?? terminal.now();
    const found = allowance(file, { identity, namespace, publicKey }, now);
    return 'line' in found
      ? { checkedBy: `${path}, line ${found.line}` }
      : { reason: `${path}: ${found.reason}` };
  }
  const { blobs, from, other } = await knownBlobs(invocation);
  if (blobs.some((blob) => blob.equals(publicKey))) return { checkedBy: from };
  const name = kid === null ? fingerprint(publicKey) : `${kid} (${fingerprint(publicKey)})`;
  return { reason: `it was made by key ${name}: ${other}` };
}

/** The key of `--public-key`, which may be of any type, else those of the keyring. */
async function knownBlobs(invocation: Invocation<VerifyOptions>): Promise<{
  readonly blobs: readonly Buffer[];
  readonly from: string;
  readonly other: string;
}> {
  const { publicKey } = invocation.options;
  if (publicKey !== undefined) {
    const from = 'the public key that was given';
    const blob = await sshBlobFrom(publicKey, invocation.terminal);
    return { blobs: [blob], from, other: `not ${from}` };
  }
  const { keys, from, other } = await knownKeys(invocation);
  const blobs = keys.map(({ algorithm, bytes }) => encodePublicKey(algorithm, bytes));
  return { blobs, from, other };
}
