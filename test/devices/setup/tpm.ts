import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { run } from '../../support/daemon.ts';
import type { DeviceToken } from '../device.ts';
import { libraryPath } from './libraries.ts';
import { answersOn, freePorts, Program } from './program.ts';
import { pkcs11Table, TokenProgram } from './token-program.ts';

const label = 'tpm';
const pin = 'userpin1';
const bus = (folder: string): string => `<!DOCTYPE busconfig PUBLIC
 "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>session</type>
  <listen>unix:path=${folder}/bus.sock</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow send_destination="*" eavesdrop="true"/>
    <allow eavesdrop="true"/>
    <allow own="*"/>
  </policy>
</busconfig>
`;

/** Other PINs can be tried by another program. */
export type TpmToken = DeviceToken & { readonly program: TokenProgram };

export const tpmModule = (): string | null =>
  libraryPath(['pkcs11/libtpm2_pkcs11.so', 'libtpm2_pkcs11.so.1']);

/**
 * A token of tpm2-pkcs11 on a simulated TPM (swtpm), with a resource manager between (tpm2-abrmd on a message bus of
 * its own), as real machines have one: without it a killed program leaves its objects in the TPM, which has room for
 * three.
 */
export async function makeTpmToken(): Promise<TpmToken> {
  const folder = mkdtempSync(join(tmpdir(), 'tpm-'));
  const programs: Program[] = [];
  const remove = async (): Promise<void> => {
    for (const program of programs.splice(0).reverse()) await program.stop();
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    for (const name of ['state', 'store']) mkdirSync(join(folder, name), { mode: 0o700 });
    const tpm = await startTpm(join(folder, 'state'), programs);
    const address = `unix:path=${folder}/bus.sock`;
    await startResourceManager(folder, tpm, address, programs);
    const environment = {
      TPM2_PKCS11_STORE: join(folder, 'store'),
      TPM2_PKCS11_TCTI: 'tabrmd:bus_type=session',
      TPM2_PKCS11_LOG_LEVEL: '0',
      TSS2_LOG: 'all+NONE',
      DBUS_SESSION_BUS_ADDRESS: address,
    };
    const module = tpmModule() ?? '';
    const program = new TokenProgram({ module, token: label, pin, environment });
    await program.runLoggedOut({ do: 'initToken', label, soPin: 'sopin123', pin });
    return {
      place: pkcs11Table(`pkcs11:token=${label}?module-path=${module}`),
      ...{ label, pin, environment, program, remove },
      variables: ['DBUS_SESSION_BUS_ADDRESS'],
      libraryParameters: null,
      launcher: [],
      endLockout: () => {
        execFileSync('tpm2_dictionarylockout', ['--clear-lockout'], {
          env: { ...process.env, ...environment, TPM2TOOLS_TCTI: environment.TPM2_PKCS11_TCTI },
        });
        return Promise.resolve();
      },
    };
  } catch (failure) {
    await remove();
    throw failure;
  }
}

/** Answers its TCTI. The port above is its control channel: both may have been taken meanwhile. */
async function startTpm(state: string, programs: Program[]): Promise<string> {
  for (;;) {
    const port = await freePorts(2);
    const tpm = new Program('swtpm', [
      ...['socket', '--tpm2', '--tpmstate', `dir=${state}`],
      ...['--server', `type=tcp,bindaddr=127.0.0.1,port=${port},disconnect`],
      ...['--ctrl', `type=tcp,bindaddr=127.0.0.1,port=${port + 1}`],
      ...['--flags', 'not-need-init,startup-clear'],
    ]);
    try {
      await tpm.until(() => answersOn(port + 1));
    } catch (failure) {
      if (/bind|in use/i.test(String(failure))) continue;
      throw failure;
    }
    programs.push(tpm);
    return `swtpm:host=127.0.0.1,port=${port}`;
  }
}

async function startResourceManager(
  folder: string,
  tpm: string,
  address: string,
  programs: Program[],
): Promise<void> {
  const configuration = join(folder, 'bus.conf');
  writeFileSync(configuration, bus(folder));
  const daemon = new Program('dbus-daemon', [
    ...[`--config-file=${configuration}`, '--nofork', '--nopidfile', '--print-address=1'],
  ]);
  programs.push(daemon);
  await daemon.says(/^unix:/m);
  const manager = new Program('tpm2-abrmd', ['--session', '--allow-root', `--tcti=${tpm}`], {
    DBUS_SESSION_BUS_ADDRESS: address,
  });
  programs.push(manager);
  await manager.until(async () => {
    const { out } = await run('dbus-send', [
      ...[`--bus=${address}`, '--print-reply', '--dest=org.freedesktop.DBus'],
      ...['/org/freedesktop/DBus', 'org.freedesktop.DBus.NameHasOwner'],
      'string:com.intel.tss2.Tabrmd',
    ]);
    return out.includes('true');
  });
}
