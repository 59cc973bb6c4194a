import { readWhole, TpmFormatError, type TpmReader } from './bytes.ts';
import { ST } from './constants.ts';

/** TPMS_ATTEST (Part 2, 10.12.12) of the two kinds that are used: what a TPM signs of itself. */

/** TPM_GENERATED_VALUE: a restricted key signs nothing else that begins so. */
const magic = 0xff544347;

export interface Attested {
  /** The qualified name of the key that signs. */
  readonly qualifiedSigner: Buffer;
  /** What the caller gave. */
  readonly extraData: Buffer;
  /** Milliseconds that the TPM has run since it was made or cleared. */
  readonly clock: bigint;
  readonly resetCount: number;
  readonly restartCount: number;
  readonly what:
    /** TPM2_Certify: an object with this name is loaded. */
    | { readonly is: 'certify'; readonly name: Buffer; readonly qualifiedName: Buffer }
    /** TPM2_CertifyCreation: it was made with creation data of this digest. */
    | { readonly is: 'creation'; readonly name: Buffer; readonly creationHash: Buffer };
}

/** Throws TpmFormatError, also for other kinds. */
export function readAttested(bytes: Uint8Array): Attested {
  return readWhole(bytes, 'an attestation', (reader) => {
    if (reader.u32() !== magic) throw new TpmFormatError('it was not made inside of a TPM');
    const type = reader.u16();
    const [qualifiedSigner, extraData] = [reader.sized(), reader.sized()];
    const [clock, resetCount, restartCount] = [reader.u64(), reader.u32(), reader.u32()];
    reader.u8(); // whether the clock is safe
    reader.u64(); // firmware version
    return {
      ...{ qualifiedSigner, extraData, clock, resetCount, restartCount },
      what: readWhat(type, reader),
    };
  });
}

function readWhat(type: number, reader: TpmReader): Attested['what'] {
  if (type === ST.ATTEST_CERTIFY) {
    return { is: 'certify', name: reader.sized(), qualifiedName: reader.sized() };
  }
  if (type === ST.ATTEST_CREATION) {
    return { is: 'creation', name: reader.sized(), creationHash: reader.sized() };
  }
  throw new TpmFormatError(`an attestation of type 0x${type.toString(16)} is not known here`);
}
