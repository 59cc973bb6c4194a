import { afterEach, expect, test } from 'vitest';
import { DeviceRig } from './device-rig.ts';
import { tpm } from './devices.ts';

/** As many objects as tpm2-abrmd holds for one connection (--max-transients), and some more. */
const rotations = 32;

let rig: DeviceRig;
afterEach(() => rig.remove());

test('more keys than a connection holds are made one after the other, and all of them sign', async () => {
  rig = new DeviceRig(tpm, 'es256', await tpm.make());
  const client = await rig.running();
  const kids = [await rig.sign()];
  for (let made = 0; made < rotations; made += 1) {
    kids.push((await client.rotate(3600)).new_active_kid);
  }
  // A vault host was full once at least, and another one made the key.
  expect(rig.daemon.log.filter(({ msg }) => msg === 'the vault host ended').length).toBeGreaterThan(
    0,
  );
  for (const kid of kids) expect(await rig.sign({ kid })).toBe(kid);
  expect(new Set(Object.keys(await rig.states())).size).toBe(kids.length);
  await rig.stop();
  const { code, out } = await rig.offline('--json', 'reconcile');
  expect(code, out).toBe(0);
  expect(JSON.parse(out)).toMatchObject({ verdict: 'fits' });
});
