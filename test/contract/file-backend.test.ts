import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openKeyring } from '../../src/keyring/open-keyring.ts';
import type { Keyring } from '../../src/keyring/keyring.ts';
import { FileKeystore } from '../../src/vault/file/keystore.ts';
import { Clock, worldWith } from '../support/world.ts';
import { signingBackendSuite, type Subject } from './signing-backend-suite.ts';

signingBackendSuite('file keyring', async (): Promise<Subject> => {
  const folder = mkdtempSync(join(tmpdir(), 'keystore-'));
  const path = join(folder, 'default.json');
  const clock = new Clock();
  const opened: Keyring[] = [];
  const open = async (): Promise<Keyring> => {
    const world = worldWith(clock);
    const keystore = new FileKeystore(path, world);
    const keyring = await openKeyring({
      name: 'default',
      vault: keystore,
      store: keystore,
      world,
      rotation: null,
    });
    opened.push(keyring);
    return keyring;
  };
  const close = async (): Promise<void> => {
    for (const keyring of opened.splice(0)) await keyring.close();
  };
  return {
    backend: await open(),
    clock,
    another: open,
    reopen: async () => {
      await close();
      return open();
    },
    savedVersion: () => `${statSync(path).ino} ${readFileSync(path, 'utf8')}`,
    close: async () => {
      await close();
      rmSync(folder, { recursive: true });
    },
  };
});
