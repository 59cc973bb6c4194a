import { join } from 'node:path';

/** Where second copies of what a state dir has are kept: in a folder of its own, so that both do not go together. */
export function copiesDir(stateDir: string): string {
  return join(stateDir, 'copies');
}

/** Of a keyring's records, and of its keys where both are one file. */
export function secondCopyPath(stateDir: string, keyring: string): string {
  return join(copiesDir(stateDir), 'keyrings', `${keyring}.json`);
}
