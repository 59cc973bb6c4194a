import { writeFileSync } from 'node:fs';
import { expect } from 'vitest';
import type { DeviceRig } from '../device-rig.ts';
import type { Step } from './step.ts';

/** Of a form that every module accepts: a YubiHSM wants the number of an authentication key first. */
const wrongPin = '0001wrong-pin';

const refusedLogins = ({ daemon }: DeviceRig): number =>
  daemon.log.filter(({ msg }) => msg.includes('the token refused the PIN')).length;

export const pinSteps: readonly Step[] = [
  {
    title: 'locked, it signs nothing; unlocked, the same key signs',
    run: async (rig) => {
      await rig.running();
      const kid = await rig.sign();
      expect((await rig.agentctl(['lock'])).code).toBe(0);
      const refused = await rig.agentctl(['sign'], 'x');
      expect(refused.code).toBe(1);
      expect(refused.err).toContain('locked');
      const { token } = rig;
      const unlocked = await rig.agentctl(['unlock', '--pin-file', '-'], `${token.pin}\n`);
      expect(unlocked).toMatchObject({ code: 0, err: '' });
      expect(await rig.sign()).toBe(kid);
    },
  },
  {
    title: 'a wrong PIN is tried once, through restarts, and another one opens the keyring',
    run: async (rig) => {
      const kid = await rig.sign();
      await rig.stop();
      const from = refusedLogins(rig);
      writeFileSync(rig.pinFile, `${wrongPin}\n`, { mode: 0o600 });
      for (let start = 0; start < 2; start += 1) {
        await rig.running();
        const refused = await rig.agentctl(['sign'], 'x');
        expect(refused.code).toBe(1);
        expect(refused.err).toMatch(/locked.*PIN/s);
        expect(refused.err).not.toContain(wrongPin);
        await rig.stop();
      }
      expect(refusedLogins(rig) - from).toBe(1);
      writeFileSync(rig.pinFile, `${rig.token.pin}\n`, { mode: 0o600 });
      await rig.running();
      expect(await rig.sign()).toBe(kid);
      // The token must not have been brought nearer to its lock than by that one.
      await rig.token.endLockout?.();
    },
  },
];
