import { readFileSync } from 'node:fs';
import { makeToken } from '../../support/softhsm.ts';
import type { DeviceToken } from '../device.ts';
import { pkcs11Table, TokenProgram } from './token-program.ts';

const label = 'devices';

/** `module`: another one that leads to the same token. */
export async function makeSoftHsmToken(
  module: string | null = null,
  environment: Readonly<Record<string, string>> = {},
): Promise<DeviceToken> {
  const token = await makeToken(label);
  const pin = readFileSync(token.pinFile, 'utf8').trim();
  const all = { ...environment, ...token.environment };
  const modulePath = module ?? token.modulePath;
  return {
    place: pkcs11Table(`pkcs11:token=${label}?module-path=${modulePath}`),
    label,
    pin,
    environment: all,
    variables: Object.keys(environment),
    libraryParameters: null,
    launcher: [],
    program: new TokenProgram({ module: modulePath, token: label, pin, environment: all }),
    remove: () => token.remove(),
  };
}
