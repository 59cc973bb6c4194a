import { AgentError } from '../base/errors.ts';
import type { Files } from '../base/files.ts';
import type { KeyringSettings } from '../config/keyring-settings.ts';
import type { RecordStore } from '../keyring/record-store.ts';
import { stores } from '../keyring/stores/stores.ts';
import { kindOf } from '../vault/kinds/kinds.ts';

/** The store of a keyring's key records. Throws `not_supported` where they are kept with its keys. */
export function configuredStore(settings: KeyringSettings, files: Files): RecordStore {
  const { name: keyring } = settings;
  const records = kindOf(settings).records(settings);
  if (records.kept === 'apart') {
    return stores.sidecar(records, { keyring, algorithm: records.algorithm }, files);
  }
  throw new AgentError('not_supported', `keyring ${keyring} ${records.because}`);
}
