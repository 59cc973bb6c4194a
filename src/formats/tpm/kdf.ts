import { createHash, createHmac } from 'node:crypto';
import { u32 } from './bytes.ts';

/** The key derivations of a TPM with SHA-256: TPM 2.0 Library Specification, Part 1, 11.4.10. */

/** KDFa: SP 800-108 in counter mode. `bits` is a multiple of 8. The caller's to wipe. */
export function kdfa(
  key: Uint8Array,
  label: string,
  contextU: Uint8Array,
  contextV: Uint8Array,
  bits: number,
): Buffer {
  const blocks: Buffer[] = [];
  for (let counter = 1; blocks.length * 256 < bits; counter += 1) {
    const hmac = createHmac('sha256', key).update(u32(counter)).update(`${label}\0`, 'latin1');
    blocks.push(hmac.update(contextU).update(contextV).update(u32(bits)).digest());
  }
  const derived = Buffer.concat(blocks).subarray(0, bits / 8);
  for (const block of blocks) block.fill(0);
  return derived;
}

/** KDFe, 256 bits: SP 800-56A of the x-coordinate `z` of an agreement, with those of both parties. */
export function kdfe(z: Uint8Array, label: string, partyU: Uint8Array, partyV: Uint8Array): Buffer {
  const digest = createHash('sha256').update(u32(1)).update(z).update(`${label}\0`, 'latin1');
  return digest.update(partyU).update(partyV).digest();
}
