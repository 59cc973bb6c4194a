import type { Verification } from '../../../api/signing-backend.ts';
import type { Invocation } from '../../shell/terminal.ts';

export interface VerifyOptions {
  readonly signature: string;
  readonly kid?: string;
  readonly publicKey?: string;
  /** Of ssh signatures: the three that follow. */
  readonly allowedSigners?: string;
  readonly identity?: string;
  readonly namespace?: string;
  /** Of ssh signatures: the time at which the allowed signers are to be valid, and who is not, whatever allows it. */
  readonly at?: string;
  readonly revoked?: string;
}

/** What came of it. */
export interface Checked {
  readonly verification: Verification & {
    /** Of an ssh signature: who the allowed-signers file says it is. */
    readonly identity?: string;
    /** Of an ssh signature by a key of a type that no keyring has: `SHA256:…`. */
    readonly fingerprint?: string;
    /** Of a minisign signature. */
    readonly trusted_comment?: string;
  };
  /** Whose keys, for people. */
  readonly checkedBy: string;
  /** Who signed, for people, where that is not the kid. */
  readonly signer?: string;
  /** What else was signed, a line each. */
  readonly notes?: readonly string[];
}

export type Check = (invocation: Invocation<VerifyOptions>, content: Buffer) => Promise<Checked>;

/** The answer where no key was asked. */
export function notValid(
  { kid = null }: { readonly kid?: string | null },
  reason: string,
): Checked {
  return { verification: { valid: false, kid, reason }, checkedBy: '' };
}
