import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { DeviceToken } from '../device.ts';
import { libraryPath } from './libraries.ts';
import { makeSoftHsmToken } from './softhsm.ts';

export const p11KitProxy = (): string | null => libraryPath(['p11-kit-proxy.so']);

/**
 * p11-kit's proxy with the modules that Debian's packages register, SoftHSM with a token of its own among them.
 * tpm2-pkcs11 is one of them too, and makes a store in the home directory unless it is told where to.
 */
export async function makeP11KitToken(): Promise<DeviceToken> {
  const store = mkdtempSync(join(tmpdir(), 'p11-kit-'));
  const token = await makeSoftHsmToken(p11KitProxy(), {
    TPM2_PKCS11_STORE: store,
    TPM2_PKCS11_TCTI: `device:${store}/no-tpm`,
    TSS2_LOG: 'all+NONE',
  });
  return {
    ...token,
    remove: async () => {
      await token.remove();
      rmSync(store, { recursive: true, force: true });
    },
  };
}
