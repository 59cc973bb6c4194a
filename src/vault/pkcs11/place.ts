import type { AlgorithmName } from '../../api/signing-backend.ts';
import type { Pkcs11Uri } from './uri.ts';

/** A token that has private keys. */
export interface TokenPlace {
  readonly backend: 'pkcs11';
  readonly uri: Pkcs11Uri;
  /** Beside it stands what is remembered of refused PINs; of the cluster CA there is no sidecar. */
  readonly sidecarPath: string;
}

/** A keyring in a token. */
export interface TokenSettings extends TokenPlace {
  readonly algorithm: AlgorithmName;
  /** Of the sidecar's second copy. */
  readonly copyPath: string;
  readonly sessions: number;
  /** Threads that its sessions must have to themselves: as many as were asked for, else none. */
  readonly ownThreads: number;
  /** A call into the module that takes longer is taken for hung, milliseconds. */
  readonly callTimeout: number;
  /** A token that keeps no seal of the records is refused. */
  readonly requireSeal: boolean;
  /** For C_Initialize; null for none. */
  readonly libraryParameters: string | null;
  /** Names of variables that the module needs beside the usual ones. */
  readonly environment: readonly string[];
}
