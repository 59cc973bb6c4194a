import { principalsOf, readAllowedSigner, type AllowedSigner } from './allowed-signer-line.ts';
import { matchesPatternList } from './patterns.ts';
import { fingerprint } from './public-key.ts';
import { SshFormatError } from './wire.ts';

export interface Signer {
  /** Who is said to have signed; one name, no pattern. */
  readonly identity: string;
  readonly namespace: string;
  /** The key blob of the signature. */
  readonly publicKey: Buffer;
}

/** The number of the line that allows it, from 1 on, or why none does. */
export type Allowance = { readonly line: number } | { readonly reason: string };

/**
 * Whether an allowed-signers file lets `signer` sign at `now` (milliseconds since the epoch), by the rules of
 * ssh-keygen(1): the first line that does counts, and one that cannot be read allows nobody, as there. Certificates are
 * not known here, and so neither does a `cert-authority` line.
 */
export function allowance(file: Buffer, signer: Signer, now: number): Allowance {
  // One character a byte: OpenSSH matches bytes, and no two of them may become the same replacement character.
  const identity = asBytes(signer.identity);
  let reason = `no line lets ${signer.identity} sign with key ${fingerprint(signer.publicKey)}`;
  for (const [at, text] of file.toString('latin1').split(/\r?\n/).entries()) {
    const about = principalsOf(text);
    if (about === null || !matchesPatternList(identity, about.principals)) continue;
    const line = at + 1;
    try {
      const allowed = readAllowedSigner(about.rest);
      if (!allowed.publicKey.equals(signer.publicKey)) continue;
      const refused = refusal(allowed, signer, now);
      if (refused === null) return { line };
      reason = `line ${line}: ${refused}`;
    } catch (error) {
      if (!(error instanceof SshFormatError)) throw error;
      reason = `line ${line} cannot be read: ${error.message}`;
    }
  }
  return { reason };
}

function refusal(allowed: AllowedSigner, signer: Signer, now: number): string | null {
  const { namespaces, validAfter, validBefore } = allowed;
  if (allowed.isAuthority) {
    return 'the key is a cert-authority there, for certificates, which are not accepted here';
  }
  if (namespaces !== null && !matchesPatternList(asBytes(signer.namespace), namespaces)) {
    return `the key may not sign in namespace ${signer.namespace}`;
  }
  // OpenSSH counts whole seconds, and both ends in.
  const seconds = Math.floor(now / 1000);
  if (validAfter !== null && seconds < validAfter / 1000) {
    return `the key is not valid before ${new Date(validAfter).toISOString()}`;
  }
  if (validBefore !== null && seconds > validBefore / 1000) {
    return `the key has expired: it was valid until ${new Date(validBefore).toISOString()}`;
  }
  return null;
}

function asBytes(text: string): string {
  return Buffer.from(text, 'utf8').toString('latin1');
}
