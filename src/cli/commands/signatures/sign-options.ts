import type { SignResult } from './made-signature.ts';

/** What `sign --format` knows. */
export type FormatName = 'raw' | 'b64' | 'json' | 'sshsig' | 'minisign' | 'jws';

export interface SignOptions {
  readonly kid?: string;
  readonly format?: FormatName;
  readonly out?: string;
  /** Of several files: what is put behind the name of each, for the file of its signature. */
  readonly suffix?: string;
  /** The names of the files stand on stdin. */
  readonly stdinList?: true;
  /** They end with NUL there, and with a newline otherwise. */
  readonly null?: true;
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
