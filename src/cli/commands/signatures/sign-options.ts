import type { SignResult } from './made-signature.ts';

/** What `sign --format` knows. */
export type FormatName = 'raw' | 'b64' | 'json' | 'sshsig' | 'minisign' | 'jws';

export interface SignOptions {
  readonly kid?: string;
  readonly format?: FormatName;
  readonly out?: string;
  /** Of `jws`. */
  readonly alg?: string;
  /** Of `sshsig`. */
  readonly namespace?: string;
  /** Of `minisign`. */
  readonly trustedComment?: string;
}

/** What a format makes: what is written, and the wire's result for `--json`. */
export interface Signed {
  readonly result: SignResult;
  readonly content: Buffer | string;
}
