import { createPublicKey, randomBytes, verify } from 'node:crypto';
import { expect } from 'vitest';
import { connect } from '../../../src/client/connect.ts';
import type { DeviceRig } from '../device-rig.ts';
import type { Step } from './step.ts';

const clients = 8;
const each = 16;

/** The active key, for node:crypto. */
async function verifier(
  rig: DeviceRig,
): Promise<(message: Buffer, signature: Uint8Array) => boolean> {
  const client = await rig.running();
  const raw = (await client.publicKeyB64(await client.activeKeyId())) ?? '';
  if (rig.algorithm === 'ed25519') {
    const key = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x: raw }, format: 'jwk' });
    return (message, signature) => verify(null, message, key, signature);
  }
  const point = Buffer.from(raw, 'base64url');
  const [x, y] = [1, 33].map((from) => point.toString('base64url', from, from + 32));
  const jwk = { kty: 'EC', crv: 'P-256', x: x ?? '', y: y ?? '' };
  const key = createPublicKey({ key: jwk, format: 'jwk' });
  return (message, signature) =>
    verify('sha256', message, { key, dsaEncoding: 'ieee-p1363' }, signature);
}

export const loadSteps: readonly Step[] = [
  {
    title: `${clients} clients with ${each} signatures under way each: every one is right`,
    run: async (rig) => {
      const isRight = await verifier(rig);
      const connections = await Promise.all(
        Array.from({ length: clients }, () =>
          connect({ socket: rig.daemon.socket, timeoutMs: 60_000 }),
        ),
      );
      const signed = await Promise.all(
        connections.flatMap((client) =>
          Array.from({ length: each }, async () => {
            const message = randomBytes(40);
            const { signature } = await client.sign(message);
            return isRight(message, signature);
          }),
        ),
      );
      await Promise.all(connections.map((client) => client.close()));
      expect(signed).toHaveLength(clients * each);
      expect(signed).not.toContain(false);
    },
  },
];
