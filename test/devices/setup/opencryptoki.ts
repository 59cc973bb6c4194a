import { run } from '../../support/daemon.ts';
import type { DeviceToken } from '../device.ts';
import { libraryPath } from './libraries.ts';
import { Program } from './program.ts';
import type { DebianRoot } from './root.ts';
import { pkcs11Table, TokenProgram } from './token-program.ts';

const label = 'opencryptoki';
const pin = 'ockpin12';
/** As openCryptoki's tokens leave the factory. */
const factorySoPin = '87654321';

/** A fresh soft token, and the daemon that shares the slots out: one at a time, they have fixed places. */
const prepare = `
set -e
for f in /run/opencryptoki /var/lock/opencryptoki/swtok /var/lib/opencryptoki/swtok/TOK_OBJ /var/log/opencryptoki; do
  mkdir -p "$f"
done
rm -rf /var/lib/opencryptoki/swtok/* /run/opencryptoki/*
mkdir -p /var/lib/opencryptoki/swtok/TOK_OBJ
chown -R root:pkcs11 /var/lib/opencryptoki /var/lock/opencryptoki /var/log/opencryptoki
chmod 770 /var/lib/opencryptoki/swtok /var/lib/opencryptoki/swtok/TOK_OBJ /var/lock/opencryptoki /var/lock/opencryptoki/swtok
chown pkcsslotd:pkcs11 /run/opencryptoki
chmod 710 /run/opencryptoki
`;

/** The soft token of openCryptoki in another release's root. */
export async function makeOpenCryptokiToken({ path, launcher }: DebianRoot): Promise<DeviceToken> {
  const inRoot = (...words: readonly string[]): readonly [string, readonly string[]] => {
    const [command = '', ...args] = [...launcher, ...words];
    return [command, args];
  };
  const made = await run(...inRoot('/bin/sh', '-c', prepare));
  if (made.code !== 0) throw new Error(`openCryptoki's folders: ${made.err}`);
  const daemon = new Program(...inRoot('/usr/sbin/pkcsslotd', '-f'));
  const module = (libraryPath(['pkcs11/libopencryptoki.so'], path) ?? '').slice(path.length);
  const environment = {};
  const program = new TokenProgram({ module, token: label, pin, environment, launcher });
  try {
    await daemon.until(async () => {
      const ready = await run(
        ...inRoot('/bin/sh', '-c', 'test -S /run/opencryptoki/pkcsslotd.socket'),
      );
      return ready.code === 0;
    });
    const soPin = 'sopin123'; // at most 8 bytes
    await program.runLoggedOut({
      ...({ do: 'initToken', label, soPin, pin } as const),
      ...{ factorySoPin, model: 'Soft' },
    });
  } catch (failure) {
    await daemon.stop();
    throw failure;
  }
  return {
    place: pkcs11Table(`pkcs11:token=${label}?module-path=${module}`),
    ...{ label, pin, environment, launcher, program },
    variables: [],
    libraryParameters: null,
    remove: () => daemon.stop(),
  };
}
