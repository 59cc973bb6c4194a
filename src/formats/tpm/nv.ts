import { createHash } from 'node:crypto';
import { readWhole, sized, u16, u32 } from './bytes.ts';
import { digestName } from './public-area.ts';

/** TPMS_NV_PUBLIC (Part 2, 13.6). */
export interface NvPublic {
  readonly index: number;
  readonly nameAlg: number;
  /** TPMA_NV */
  readonly attributes: number;
  readonly authPolicy: Uint8Array;
  readonly dataSize: number;
}

export function encodeNvPublic(area: NvPublic): Buffer {
  return Buffer.concat([
    u32(area.index),
    u16(area.nameAlg),
    u32(area.attributes),
    sized(area.authPolicy),
    u16(area.dataSize),
  ]);
}

/** Throws TpmFormatError. */
export function readNvPublic(bytes: Uint8Array): NvPublic {
  return readWhole(bytes, 'the public area of an NV index', (reader) => ({
    index: reader.u32(),
    nameAlg: reader.u16(),
    attributes: reader.u32(),
    authPolicy: reader.sized(),
    dataSize: reader.u16(),
  }));
}

/** The name of an NV index (Part 1, 16), of its public area as the TPM has it now. */
export function nvName(area: NvPublic): Buffer {
  const digest = createHash(digestName(area.nameAlg)).update(encodeNvPublic(area)).digest();
  return Buffer.concat([u16(area.nameAlg), digest]);
}
