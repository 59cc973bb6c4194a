import { readFileSync, statSync } from 'node:fs';
import { afterAll, beforeAll } from 'vitest';
import { makeToken, type SoftHsmToken } from '../support/softhsm.ts';
import { TokenKeyring } from '../support/token-keyring.ts';
import { signingBackendSuite, type Subject } from './signing-backend-suite.ts';

let token: SoftHsmToken;
let made = 0;
beforeAll(async () => {
  token = await makeToken();
});
afterAll(async () => {
  await token.remove();
});

signingBackendSuite('SoftHSM keyring', async (): Promise<Subject> => {
  made += 1;
  const keyring = new TokenKeyring(token, `ring-${made}`);
  return {
    backend: await keyring.open(),
    clock: keyring.clock,
    another: () => keyring.open(),
    reopen: async () => {
      await keyring.close();
      return keyring.open();
    },
    savedVersion: () =>
      `${statSync(keyring.sidecarPath).ino} ${readFileSync(keyring.sidecarPath, 'utf8')}`,
    close: () => keyring.remove(),
  };
});
