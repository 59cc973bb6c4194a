import { writeFileSync } from 'node:fs';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { DeviceRig } from './device-rig.ts';
import { tpm } from './devices.ts';
import { makeTpmToken, type TpmToken } from './setup/tpm.ts';

let rig: DeviceRig;
let token: TpmToken;
beforeEach(async () => {
  token = await makeTpmToken();
  rig = new DeviceRig(tpm, 'es256', token);
});
afterEach(() => rig.remove());

test('a TPM in lockout: the command that ends it is said, and the right PIN opens the keyring then', async () => {
  const kid = await rig.sign();
  await rig.stop();
  // Another program tries wrong PINs until the TPM has enough of them.
  const { program } = token;
  for (let tries = 0; tries < 5; tries += 1) {
    await program
      .withPin(`wrong ${tries}`)
      .run({ do: 'list' })
      .catch(() => null);
  }
  await rig.running();
  const refused = await rig.agentctl(['sign'], 'x');
  expect(refused.code).toBe(1);
  expect(refused.err).toContain('tpm2_dictionarylockout --clear-lockout');

  await rig.token.endLockout?.();
  const unlocked = await rig.agentctl(
    ['unlock', '--pin-file', '-', '--again'],
    `${rig.token.pin}\n`,
  );
  expect(unlocked).toMatchObject({ code: 0, err: '' });
  expect(await rig.sign()).toBe(kid);
});

test('no wrong PIN of the configuration brings the TPM nearer to its lockout than once', async () => {
  const kid = await rig.sign();
  await rig.stop();
  writeFileSync(rig.pinFile, 'wrong\n', { mode: 0o600 });
  for (let start = 0; start < 4; start += 1) {
    await rig.running();
    expect((await rig.agentctl(['sign'], 'x')).code).toBe(1);
    await rig.stop();
  }
  writeFileSync(rig.pinFile, `${rig.token.pin}\n`, { mode: 0o600 });
  expect(await rig.sign()).toBe(kid); // three wrong ones would have locked it
});
