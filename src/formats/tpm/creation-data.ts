import { readWhole } from './bytes.ts';
import { readPcrSelection } from './pcr.ts';

/** TPMS_CREATION_DATA (Part 2, 15.1): under which circumstances a TPM made an object. */
export interface CreationData {
  /** Of the SHA-256 bank, at creation. */
  readonly pcrs: readonly number[];
  /** SHA-256 over their values. */
  readonly pcrDigest: Buffer;
  readonly locality: number;
  /** TPM_ALG_ID of the parent's name. */
  readonly parentNameAlg: number;
  readonly parentName: Buffer;
  readonly parentQualifiedName: Buffer;
  /** What the caller gave. */
  readonly outsideInfo: Buffer;
}

/** Throws TpmFormatError. */
export function readCreationData(bytes: Uint8Array): CreationData {
  return readWhole(bytes, 'creation data', (reader) => ({
    pcrs: readPcrSelection(reader),
    pcrDigest: reader.sized(),
    locality: reader.u8(),
    parentNameAlg: reader.u16(),
    parentName: reader.sized(),
    parentQualifiedName: reader.sized(),
    outsideInfo: reader.sized(),
  }));
}
