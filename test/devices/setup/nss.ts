import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { run } from '../../support/daemon.ts';
import type { DeviceToken } from '../device.ts';
import { libraryPath } from './libraries.ts';
import { pkcs11Table, TokenProgram } from './token-program.ts';

const label = 'NSS Certificate DB';
const pin = 'nsspin123';

export const nssModule = (root = '/'): string | null =>
  libraryPath(['libsoftokn3.so', 'nss/libsoftokn3.so'], root);

/** A key database of NSS's softokn, made by its certutil. */
export async function makeNssToken(
  launcher: readonly string[] = [],
  root = '/',
): Promise<DeviceToken> {
  const folder = mkdtempSync(join(tmpdir(), 'nss-'));
  mkdirSync(join(folder, 'db'), { mode: 0o700 });
  const pinFile = join(folder, 'pin');
  writeFileSync(pinFile, `${pin}\n`, { mode: 0o600 });
  const [command = '', ...args] = [
    ...launcher,
    ...['certutil', '-N', '-d', `sql:${folder}/db`, '-f', pinFile],
  ];
  const made = await run(command, args);
  if (made.code !== 0) throw new Error(`certutil: ${made.out}${made.err}`);
  const found = nssModule(root) ?? '';
  const module = root === '/' ? found : found.slice(root.length);
  const libraryParameters = `configdir='sql:${folder}/db' certPrefix='' keyPrefix='' secmod='secmod.db' flags=`;
  const environment = {};
  return {
    place: pkcs11Table(`pkcs11:token=${encodeURIComponent(label)}?module-path=${module}`),
    ...{ label, pin, environment, libraryParameters, launcher },
    variables: [],
    program: new TokenProgram({
      ...{ module, pin, environment, libraryParameters, launcher },
      token: label,
    }),
    remove: () => {
      rmSync(folder, { recursive: true, force: true });
      return Promise.resolve();
    },
  };
}
