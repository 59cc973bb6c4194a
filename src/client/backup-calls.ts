import type { Backup, Restored } from '../api/backup.ts';
import { encodeBase64 } from '../base/base64.ts';
import type { KeyringCallOptions } from './call-options.ts';
import type { Wire } from './wire.ts';

/** Backups of a keyring whose keys are in a file. */
export interface BackupCalls {
  /**
   * The keystore as an age file that the holders of these client keys (`ck_…`, 1 to 20) can open. Where the connection
   * is lost another one is made, and both are recorded.
   *
   * @throws {AgentError} `not_supported` where the keys are in a token; `not_found` for the keyring or a client key;
   * `invalid_params`, `audit_unavailable`, `backend_unavailable`.
   */
  backup(clientKeys: readonly string[], options?: KeyringCallOptions): Promise<Backup>;
  /**
   * Puts a keystore back, all of it or nothing. What was there before is kept beside it. `keystore`: the document of a
   * backup, decrypted; it stays the caller's, who wipes it. `replace`: also where there is a keystore already.
   *
   * @throws {AgentError} `already_exists` with what would change where there is one; `invalid_params` for what is no
   * keystore that can be used; `not_supported` where the keys are in a token; `conflict`, `not_found`, `too_large`,
   * `audit_unavailable`, `backend_unavailable`.
   */
  restore(
    keystore: Uint8Array,
    options?: KeyringCallOptions & { readonly replace?: boolean | undefined },
  ): Promise<Restored>;
}

export function backupCalls(wire: Wire): BackupCalls {
  return {
    backup: (clientKeys, options = {}) => wire.askKeyring('backup', { to: clientKeys }, options),
    restore: (keystore, options = {}) => {
      const params = { keystore_b64: encodeBase64(keystore), replace: options.replace };
      return wire.askKeyring('restore', params, options);
    },
  };
}
