import { join } from 'node:path';
import { isSameFile } from '../../files/same-file.ts';
import { TableFault } from '../kind-calls.ts';
import type { KindOfCa } from '../kind-of-ca.ts';
import type { FilePlace, FileSettings } from './place.ts';

function caKeyPath(stateDir: string): string {
  return join(stateDir, 'cluster-ca.key');
}

function isKeyOfCa(): TableFault {
  return new TableFault('path', "that is the key of the cluster CA, which is no keyring's");
}

/** The CA's key in a file of its own, the 32 bytes of its seed. */
export const fileKindOfCa: KindOfCa<object, FilePlace, FileSettings> = {
  settings: (_, { stateDir }) => ({ backend: 'file', path: caKeyPath(stateDir) }),
  async open({ path }, { world }) {
    const { SeedFile } = await import('./seed-file.ts');
    const vault = new SeedFile(path, world);
    return { vault, where: path, madeAt: () => vault.modifiedAt() };
  },
  // Also without a [cluster]: what stands at that path was the CA's, or will be.
  clash: ({ path }, { stateDir }) => (path === caKeyPath(stateDir) ? isKeyOfCa() : null),
  clashByAnotherName: ({ path }, { stateDir }) =>
    isSameFile(path, caKeyPath(stateDir)) ? isKeyOfCa() : null,
  async examine({ path }, { world }) {
    const { examineSeedFile } = await import('./examine-seed-file.ts');
    return [examineSeedFile('cluster CA', path, world)];
  },
};
