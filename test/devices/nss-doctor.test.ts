import { afterEach, expect, test } from 'vitest';
import { DeviceRig } from './device-rig.ts';
import { nss } from './devices.ts';

let rig: DeviceRig;
afterEach(() => rig.remove());

test('a cluster CA on NSS is looked at with the parameters of the keyring on that module', async () => {
  rig = new DeviceRig(nss, 'es256', await nss.make());
  const place = rig.token.place(rig.pinFile).replace(/^(?=backend|uri)/gm, 'ca_');
  const signer = '[keyrings.signer]\nbackend = "file"\n';
  rig.configure({
    lines: `${signer}[cluster]\ndomain = "prod.example"\nkeyring = "signer"\n${place}`,
  });
  const { out } = await rig.offline('doctor');
  expect(out).toMatch(/^ok +cluster-ca: module +\S+ is there/m);
  expect(out).toMatch(/^ok +cluster-ca: token +.*"NSS Certificate DB".* is there/m);
  // And not that the module could not be started, as it cannot without them.
  expect(out).toMatch(/^failure +cluster-ca: token +has no ed25519/m);
});
