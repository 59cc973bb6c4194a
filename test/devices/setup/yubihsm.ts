import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import type { DeviceToken } from '../device.ts';
import { Connector } from '../yubihsm/connector.ts';
import type { DeviceOptions } from '../yubihsm/device.ts';
import { libraryPath } from './libraries.ts';
import { pkcs11Table, TokenProgram } from './token-program.ts';

const label = 'YubiHSM';
/** Four digits of the authentication key's id, and its password. */
const pin = '0001password';

/** As scripts/unpack-yubihsm says it. */
export function cacheFolder(): string {
  const own = process.getuid?.() === 0 ? '/var/cache' : join(homedir(), '.cache');
  return join(process.env['XDG_CACHE_HOME'] ?? own, 'signing-agent-devices');
}

/** Unpacked by scripts/unpack-yubihsm, not installed; or the one of a release that has it. */
export function yubihsmModule(root: string | null = null): string | null {
  const unpacked = join(cacheFolder(), 'yubihsm', 'root');
  const names = ['pkcs11/yubihsm_pkcs11.so'];
  if (root !== null) return libraryPath(names, root);
  return existsSync(unpacked) ? libraryPath(names, unpacked) : libraryPath(names);
}

export interface YubiHsmToken extends DeviceToken {
  /** The emulator, for faults. */
  readonly connector: Connector;
}

export async function makeYubiHsmToken(
  options: DeviceOptions = {},
  launcher: readonly string[] = [],
  root: string | null = null,
): Promise<YubiHsmToken> {
  const folder = mkdtempSync(join(tmpdir(), 'yubihsm-'));
  const connector = await Connector.start(options);
  const configuration = join(folder, 'yubihsm.conf');
  writeFileSync(configuration, `connector = http://127.0.0.1:${connector.port}\n`);
  const found = yubihsmModule(root) ?? '';
  const module = root === null ? found : found.slice(root.length);
  // The module opens its HTTP half by name alone.
  const environment: Record<string, string> = { YUBIHSM_PKCS11_CONF: configuration };
  if (root === null) environment['LD_LIBRARY_PATH'] = join(module, '..', '..');
  return {
    place: pkcs11Table(`pkcs11:token=${label}?module-path=${module}`),
    ...{ label, pin, environment, launcher, connector },
    variables: root === null ? ['LD_LIBRARY_PATH'] : [],
    libraryParameters: null,
    program: new TokenProgram({ module, token: label, pin, environment, launcher }),
    remove: async () => {
      await connector.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
