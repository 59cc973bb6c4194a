import { createHash } from 'node:crypto';
import { TpmFormatError, u16, u32, u8, type TpmReader } from './bytes.ts';
import { ALG, CC } from './constants.ts';

/** Platform configuration registers of the SHA-256 bank: Part 2, 10.6 and 10.9; Part 3, 23.7. */

const pcrCount = 24;
const bitmapLength = pcrCount / 8;

/** TPML_PCR_SELECTION of these registers, 0 to 23; of none an empty list. */
export function encodePcrSelection(pcrs: readonly number[]): Buffer {
  if (pcrs.length === 0) return u32(0);
  const bitmap = Buffer.alloc(bitmapLength);
  for (const pcr of pcrs) {
    if (!Number.isInteger(pcr) || pcr < 0 || pcr >= pcrCount) {
      throw new RangeError(`there is no PCR ${pcr}`);
    }
    const at = pcr >> 3;
    bitmap[at] = (bitmap[at] ?? 0) | (1 << (pcr & 7));
  }
  return Buffer.concat([u32(1), u16(ALG.SHA256), u8(bitmapLength), bitmap]);
}

/** The registers of the SHA-256 bank in a TPML_PCR_SELECTION. Throws TpmFormatError for other banks. */
export function readPcrSelection(reader: TpmReader): number[] {
  const banks = reader.count(3);
  const pcrs: number[] = [];
  for (let bank = 0; bank < banks; bank += 1) {
    const algorithm = reader.u16();
    const bitmap = reader.bytes(reader.u8());
    const selected = [...bitmap.keys()].flatMap((at) =>
      [0, 1, 2, 3, 4, 5, 6, 7]
        .filter((bit) => ((bitmap[at] ?? 0) & (1 << bit)) !== 0)
        .map((bit) => 8 * at + bit),
    );
    if (selected.length > 0 && algorithm !== ALG.SHA256) {
      throw new TpmFormatError('a PCR selection of another bank than SHA-256');
    }
    pcrs.push(...selected);
  }
  return pcrs;
}

/** What TPM2_PCR_Read answered. */
export interface PcrValues {
  /** Of those that were asked for, the ones that these values are of. */
  readonly pcrs: readonly number[];
  /** In the order of `pcrs`. */
  readonly values: readonly Buffer[];
}

export function readPcrValues(reader: TpmReader): PcrValues {
  reader.u32(); // pcrUpdateCounter
  const pcrs = readPcrSelection(reader);
  const count = reader.count(2);
  const values = Array.from({ length: count }, () => reader.sized());
  if (values.length !== pcrs.length) {
    throw new TpmFormatError(`${values.length} values of ${pcrs.length} PCRs`);
  }
  return { pcrs, values };
}

/** What a policy is bound to: SHA-256 over the values, in ascending order of the registers. */
export function pcrDigest(values: readonly Uint8Array[]): Buffer {
  const digest = createHash('sha256');
  for (const value of values) digest.update(value);
  return digest.digest();
}

/**
 * The digest of a policy that demands these values of these registers (none: does not demand any) and, where
 * `pin` is true, the authorisation value of the object. All zero where it demands nothing.
 */
export function policyDigest(
  pcrs: readonly number[],
  digest: Uint8Array | null,
  pin: boolean,
): Buffer {
  let policy: Buffer = Buffer.alloc(32);
  const extend = (...parts: Uint8Array[]): void => {
    policy = createHash('sha256')
      .update(Buffer.concat([policy, ...parts]))
      .digest();
  };
  if (digest !== null) extend(u32(CC.PolicyPCR), encodePcrSelection(pcrs), digest);
  if (pin) extend(u32(CC.PolicyAuthValue));
  return policy;
}
