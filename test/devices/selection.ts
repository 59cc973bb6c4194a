import type { AlgorithmName } from '../../src/api/signing-backend.ts';
import type { Device } from './device.ts';

/** `scripts/test --devices=all` sets it: the roots of other releases are built, and every algorithm runs. */
const runsAll = process.env['SIGNING_AGENT_DEVICES'] === 'all';

export function algorithmsOf(device: Device): readonly AlgorithmName[] {
  return runsAll ? device.algorithms : device.always;
}

/** Rounds of random changes and kills; 200 before a release. */
export const randomRounds = Number(process.env['SIGNING_AGENT_DEVICE_ROUNDS'] ?? 3);
