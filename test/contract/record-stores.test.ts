import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { stores } from '../../src/keyring/stores/stores.ts';
import { Clock, worldWith } from '../support/world.ts';
import { recordStoreSuite, type RecordStoreRig } from './record-store-suite.ts';

/** Each store of the table, with what other programs do to its records. */
const rigs: Readonly<Record<keyof typeof stores, () => Promise<RecordStoreRig>>> = {
  sidecar: () => {
    const folder = mkdtempSync(join(tmpdir(), 'record-store-'));
    const path = join(folder, 'prod.json');
    const write = (text: string): Promise<void> => {
      writeFileSync(path, text, { mode: 0o600 });
      return Promise.resolve();
    };
    return Promise.resolve({
      open: (owner) =>
        stores.sidecar(
          { path, copyPath: join(folder, 'copies', 'prod.json'), requireSeal: false },
          owner,
          worldWith(new Clock()).files,
        ),
      copy: () => Promise.resolve(readFileSync(path, 'utf8')),
      putBack: (copy) => write(String(copy)),
      damage: () => write('{'),
      alter: () => write(readFileSync(path, 'utf8').replaceAll('17:55', '17:56')),
      remove: () => {
        rmSync(folder, { recursive: true });
        return Promise.resolve();
      },
    });
  },
};

test('every store of the table is here', () => {
  expect(Object.keys(rigs)).toEqual(Object.keys(stores));
});
for (const [name, makeRig] of Object.entries(rigs)) recordStoreSuite(name, makeRig);
