import { randomBytes } from 'node:crypto';
import { rmSync, writeFileSync } from 'node:fs';
import { expect } from 'vitest';
import type { Step } from './step.ts';

const hour = 3600;

interface SidecarDocument {
  keys: { id: string; public_key_b64: string; created_at: string }[];
  retired_grace_until: Record<string, string>;
  [member: string]: unknown;
}

export const recordSteps: readonly Step[] = [
  {
    title: 'reconcile after an orderly end: token and records fit',
    run: async (rig) => {
      await rig.running();
      await rig.stop();
      const { code, out, err } = await rig.offline('--json', 'reconcile');
      expect({ code, err }).toEqual({ code: 0, err: '' });
      expect(JSON.parse(out)).toMatchObject({ verdict: 'fits', applied: false });
    },
  },
  {
    title: 'an older copy of the records is refused on every token',
    run: async (rig) => {
      const client = await rig.running();
      await client.rotate(hour); // takes what is prepared, so that the next one makes a key
      const older = rig.sidecar();
      const { new_active_kid: second } = await client.rotate(hour);
      await rig.stop();
      const newest = rig.sidecar();
      writeFileSync(rig.sidecarPath, older);
      // Where the token keeps no seal, the manifest of the state dir knows.
      const refused = await rig.refusedStart();
      expect(refused.code).toBe(4);
      expect(refused.err).toContain(
        'agentctl reconcile --keyring default --accept-records --apply',
      );
      writeFileSync(rig.sidecarPath, newest);
      expect(await rig.sign()).toBe(second);
    },
  },
  {
    title: 'edited records, another public key or another time, are refused on every token',
    run: async (rig) => {
      const kid = await rig.sign();
      await rig.stop();
      const newest = rig.sidecar();
      const edited = (edit: (document: SidecarDocument) => void): void => {
        const document = JSON.parse(newest) as SidecarDocument;
        edit(document);
        writeFileSync(rig.sidecarPath, JSON.stringify(document));
      };
      edited(({ keys }) => {
        const active = keys.find(({ id }) => id === kid);
        const other = keys.find(({ id }) => id !== kid);
        if (active === undefined) throw new Error('the active key is recorded');
        active.public_key_b64 = other?.public_key_b64 ?? randomBytes(32).toString('base64url');
      });
      expect((await rig.refusedStart()).code).toBe(4);
      edited(({ keys }) => {
        for (const key of keys) key.created_at = '2020-01-01T00:00:00.000Z';
      });
      const refused = await rig.refusedStart();
      expect(refused.code).toBe(4);
      expect(refused.err).toContain('agentctl reconcile --keyring default');
      writeFileSync(rig.sidecarPath, newest);
      expect(await rig.sign()).toBe(kid);
    },
  },
  {
    title:
      'lost records: the agent refuses to begin anew, and reconcile brings the active key back',
    run: async (rig, foreign) => {
      const kid = await rig.sign();
      await rig.stop();
      rmSync(rig.sidecarPath);
      const refused = await rig.refusedStart();
      expect(refused.code).toBe(4);
      expect(refused.err).toContain('agentctl reconcile --keyring default');
      const applied = await rig.offline('reconcile', '--active', kid, '--apply');
      expect(applied).toMatchObject({ code: 0, err: '' });
      expect(await rig.sign()).toBe(kid);
      await rig.stop();
      await foreign.check();
    },
  },
  {
    title: 'two keyrings on one token do not see each other',
    run: async (rig) => {
      const kid = await rig.sign();
      const before = await rig.states();
      await rig.stop();
      rig.configure({ keyrings: ['default', 'second'] });
      const client = await rig.running();
      const other = await rig.sign({ keyring: 'second' });
      expect(other).not.toBe(kid);
      const { new_active_kid: next } = await client.rotate(0, { keyring: 'second' });
      expect(await client.pruneExpiredGrace({ keyring: 'second' })).toBe(1);
      expect(await rig.states()).toEqual(before);
      await rig.restart();
      expect(await rig.sign()).toBe(kid);
      expect(await rig.sign({ keyring: 'second' })).toBe(next);
      await rig.stop();
      rig.configure();
    },
  },
  {
    title: 'doctor finds no failure, while the agent runs and while it does not',
    run: async (rig) => {
      await rig.running();
      for (const runs of [true, false]) {
        if (!runs) await rig.stop();
        const { code, out, err } = await rig.offline('doctor');
        expect({ code, err }, out).toEqual({ code: 0, err: '' });
        const wanted = rig.device.doctor?.[runs ? 'running' : 'stopped'];
        expect(out).toMatch(wanted ?? /^ok +default: module +\S+ is there/m);
        if (wanted === undefined) expect(out).toContain(`"${rig.token.label}"`);
        expect(out).not.toContain(rig.token.pin);
      }
    },
  },
];
