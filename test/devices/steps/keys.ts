import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { refusal } from '../../support/faulty-agent.ts';
import type { DeviceRig } from '../device-rig.ts';
import type { Step } from './step.ts';

const label = 'signing-agent/default';
/** Longer than any module's buffer, and within a frame. */
const long = 100_000;
const hour = 3600;

/** CKA_LABEL and CKA_ID are compared with the records by the agent; these are what protects a key. */
const wantedAttributes: Readonly<Record<string, boolean>> = {
  CKA_TOKEN: true,
  CKA_PRIVATE: true,
  CKA_SIGN: true,
  CKA_SENSITIVE: true,
  CKA_EXTRACTABLE: false,
  CKA_NEVER_EXTRACTABLE: true,
  CKA_LOCAL: true,
};

/** The keyring's keys in the token, and no half of one. */
async function keysInToken(rig: DeviceRig): Promise<number> {
  const objects = (await rig.objects()).filter((object) => object.label === label);
  const idsOf = (kind: string): readonly string[] =>
    objects
      .filter((object) => object.kind === kind)
      .map(({ id }) => id)
      .sort();
  expect(idsOf('Public Key')).toEqual(idsOf('Private Key'));
  return idsOf('Private Key').length;
}

export const keySteps: readonly Step[] = [
  {
    title: 'a new token: the agent starts, says what protects its key, and signs',
    run: async (rig) => {
      const client = await rig.running();
      const { protection, backend = 'pkcs11' } = rig.device;
      expect(await client.describeBackend()).toEqual({
        name: backend,
        is_hardware_backed: protection === 'hardware',
        protection,
        algorithm: rig.algorithm,
      });
      expect(await client.activeKeyId()).toBe(await rig.sign());
      expect(await keysInToken(rig)).toBe(1);
    },
  },
  {
    title: 'the attributes of the key, as the token says them',
    run: async (rig) => {
      const [key] = await (await rig.running()).listKeys();
      const differences = Object.entries(rig.device.attributes ?? {});
      expect(key?.attributes).toMatchObject({
        ...(rig.device.evidence?.[rig.algorithm] ?? wantedAttributes),
        ...Object.fromEntries(differences.map(([name, { value }]) => [name, value])),
      });
    },
  },
  {
    title: 'an attestation of the key verifies, or why there is none is said',
    run: async (rig) => {
      const kid = await rig.sign();
      const nonce = randomBytes(16).toString('base64url');
      const attested = await rig.agentctl(['keys', 'attest', kid, '--nonce', nonce]);
      if (rig.device.attests?.includes(rig.algorithm) !== true) {
        expect(attested.code).toBe(1);
        expect(attested.err).toMatch(/^agentctl: the key cannot be attested: \S.{40}/);
        return;
      }
      expect(attested).toMatchObject({ code: 0, err: '' });
      const path = join(rig.daemon.folder, 'attestation.json');
      writeFileSync(path, attested.out);
      const verified = await rig.agentctl(['verify-attestation', path, '--nonce', nonce]);
      expect(verified).toMatchObject({ code: 0, err: '' });
      expect(verified.out).toContain(`key ${kid} was made in the TPM`);
    },
  },
  {
    title: 'openssl verifies signatures over messages of many sizes',
    run: async (rig) => {
      const longest = rig.device.messageLimit?.[rig.algorithm]?.value ?? long;
      for (const size of [1, 2, 31, 32, 64, 1000, longest]) {
        await rig.sign({ message: randomBytes(size) });
      }
    },
  },
  {
    title: 'the empty message is signed, or refused as not supported',
    run: async (rig) => {
      const client = await rig.running();
      const different = rig.device.emptyMessage?.[rig.algorithm];
      if (different === undefined) {
        const { kid, signature } = await client.sign(Buffer.alloc(0));
        expect(await client.verify(Buffer.alloc(0), signature)).toEqual({ valid: true, kid });
      } else {
        expect(await refusal(client.sign(Buffer.alloc(0)))).toMatchObject({
          kind: different.value,
        });
      }
    },
  },
  {
    title: 'a message over the limit is too large, and the limit is said',
    run: async (rig) => {
      const client = await rig.running();
      const limit = rig.device.messageLimit?.[rig.algorithm]?.value;
      if (limit === undefined) {
        const frame = 262_144; // max_frame_bytes: nothing longer reaches the token
        expect(await refusal(client.sign(randomBytes(frame)))).toMatchObject({
          kind: 'too_large',
          details: { limit: frame },
        });
      } else {
        for (const size of [limit + 1, limit + 100, long]) {
          expect(await refusal(client.sign(randomBytes(size)))).toMatchObject({
            kind: 'too_large',
            details: { limit },
          });
        }
      }
      await rig.sign();
    },
  },
  {
    title: 'rotate, prepare, revoke and prune change the token as they say',
    run: async (rig) => {
      const client = await rig.running();
      const first = await rig.sign();
      const { new_active_kid: second } = await client.rotate(hour);
      const { kid: prepared } = await client.prepare();
      expect(await rig.states()).toEqual({
        [first]: 'grace',
        [second]: 'active',
        [prepared]: 'prepared',
      });
      expect(await keysInToken(rig)).toBe(3);
      expect(await rig.sign({ kid: first })).toBe(first);
      expect(await rig.sign()).toBe(second);
      expect(await refusal(client.sign(Buffer.from('x'), { kid: prepared }))).toMatchObject({
        kind: 'unknown_kid',
      });

      expect(await client.rotate(0)).toMatchObject({ new_active_kid: prepared });
      expect(await client.pruneExpiredGrace()).toBe(1);
      expect(await rig.states()).toEqual({ [first]: 'grace', [prepared]: 'active' });
      expect(await keysInToken(rig)).toBe(2);

      await client.revoke(first);
      expect(await refusal(client.sign(Buffer.from('x'), { kid: first }))).toMatchObject({
        kind: 'unknown_kid',
      });
      const { new_active_kid: replacement } = await client.revoke(prepared);
      expect(await rig.sign()).toBe(replacement);
      expect(await keysInToken(rig)).toBe(1);
    },
  },
  {
    title: 'after a restart the same keys sign',
    run: async (rig) => {
      const client = await rig.running();
      const first = await rig.sign();
      await client.rotate(hour);
      await client.prepare();
      const before = await rig.states();
      expect(await rig.stop()).toBe(0);
      await rig.running();
      expect(await rig.states()).toEqual(before);
      expect(await rig.sign({ kid: first })).toBe(first);
      expect(before[await rig.sign()]).toBe('active');
    },
  },
  {
    title: 'another program cannot tell that the agent was there: its objects are as they were',
    run: async (rig, foreign) => {
      await rig.stop();
      await foreign.check();
    },
  },
];
