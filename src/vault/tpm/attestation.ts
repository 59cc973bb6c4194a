import { createHash } from 'node:crypto';
import { sized, u16, u32 } from '../../formats/tpm/bytes.ts';
import { ALG, CC, NV, OBJECT, RH } from '../../formats/tpm/constants.ts';
import type { AttestationDocument } from '../../formats/tpm/attestation-document.ts';
import { nvName, readNvPublic } from '../../formats/tpm/nv.ts';
import { encodePublicArea, encodeSensitive, nameOf } from '../../formats/tpm/public-area.ts';
import { RC } from '../../formats/tpm/response-codes.ts';
import type { TpmConnection } from './connection.ts';
import type { Blob } from './loaded-objects.ts';
import { signingKeyTemplate, type CreatedObject } from './objects.ts';
import { flush } from './sessions.ts';
import { emptyPassword, type NamedHandle } from './tpm.ts';
import { isCode } from './tpm-error.ts';

/**
 * A restricted signing key of the endorsement hierarchy: it signs what the TPM says of itself, and nothing that only
 * looks so. It is made again each time from the TPM's own seed, and is the same until its owner changes that.
 */
const attestationKey = encodePublicArea({
  ...signingKeyTemplate,
  attributes: signingKeyTemplate.attributes | OBJECT.RESTRICTED,
  scheme: { scheme: ALG.ECDSA, hash: ALG.SHA256 },
});

/** Where makers put endorsement certificates: P-256 and RSA-2048 (TCG EK Credential Profile, 2.2.1.4). */
const certificateIndices = [0x01c0000a, 0x01c00002];
/** TPM_PT_NV_BUFFER_MAX is at least this. */
const pieceLength = 512;

type Signed = AttestationDocument['certified'];

/** What a TPM attests of one of its loaded keys. */
export type Attestation = Pick<
  AttestationDocument,
  'attestation_key_public_b64' | 'certified' | 'creation' | 'endorsement_certificates_b64'
>;

/** `nonce`: at most 32 bytes. `auth`: of the key. `made`: null where that was lost. */
export async function attestKey(
  connection: TpmConnection,
  blob: Blob,
  {
    auth,
    nonce,
    made,
  }: {
    readonly auth: Uint8Array;
    readonly nonce: Uint8Array;
    readonly made: Pick<CreatedObject, 'creationData' | 'ticket'> | null;
  },
): Promise<Attestation> {
  const endorsement_certificates_b64 = await certificates(connection);
  const signer = await makeAttestationKey(connection);
  try {
    // Only now: room for the other key is made at the cost of whatever is loaded.
    const key = await connection.objects.load(connection, blob);
    const certified = await signed(connection, {
      code: CC.Certify,
      handles: [key, signer],
      parameters: Buffer.concat([sized(nonce), u16(ALG.NULL)]),
      authorizations: [connection.authorized(auth), emptyPassword],
    });
    return {
      attestation_key_public_b64: signer.area.toString('base64url'),
      certified,
      creation: made === null ? null : await creation(connection, key, signer, nonce, made),
      endorsement_certificates_b64,
    };
  } finally {
    await flush(connection.tpm, signer.handle).catch(() => null);
  }
}

async function creation(
  connection: TpmConnection,
  key: NamedHandle,
  signer: NamedHandle,
  nonce: Uint8Array,
  { creationData, ticket }: Pick<CreatedObject, 'creationData' | 'ticket'>,
): Promise<NonNullable<Attestation['creation']>> {
  const creationHash = createHash('sha256').update(creationData).digest();
  const made = await signed(connection, {
    code: CC.CertifyCreation,
    handles: [signer, key],
    parameters: Buffer.concat([sized(nonce), sized(creationHash), u16(ALG.NULL), ticket]),
    authorizations: [connection.authorized()],
  });
  return { ...made, creation_data_b64: creationData.toString('base64url') };
}

async function signed(
  { tpm }: TpmConnection,
  {
    authorizations,
    ...request
  }: Parameters<TpmConnection['tpm']['run']>[0] & {
    readonly authorizations: NonNullable<Parameters<TpmConnection['tpm']['run']>[1]>;
  },
): Promise<Signed> {
  const { parameters } = await tpm.run(request, authorizations);
  const attest_b64 = parameters.sized().toString('base64url');
  return { attest_b64, signature_b64: parameters.rest().toString('base64url') };
}

async function makeAttestationKey(
  connection: TpmConnection,
): Promise<NamedHandle & { readonly area: Buffer }> {
  const { handle, parameters } = await connection.objects.withRoom(() =>
    connection.tpm.run(
      {
        code: CC.CreatePrimary,
        handles: [{ handle: RH.ENDORSEMENT, name: u32(RH.ENDORSEMENT) }],
        parameters: Buffer.concat([
          encodeSensitive(Buffer.alloc(0), Buffer.alloc(0)),
          sized(attestationKey),
          u16(0), // outside info
          u32(0), // PCRs
        ]),
        answersHandle: true,
      },
      [emptyPassword],
    ),
  );
  const area = Buffer.from(parameters.sized());
  return { handle, name: nameOf(area), area };
}

async function certificates(connection: TpmConnection): Promise<string[]> {
  const found: string[] = [];
  for (const index of certificateIndices) {
    const bytes = await readCertificate(connection, index);
    if (bytes !== null) found.push(bytes.toString('base64url'));
  }
  return found;
}

/** null where there is none, or it is not for everybody to read. */
async function readCertificate({ tpm }: TpmConnection, index: number): Promise<Buffer | null> {
  try {
    const { parameters } = await tpm.run({
      code: CC.NV_ReadPublic,
      handles: [{ handle: index, name: u32(index) }],
    });
    const area = readNvPublic(parameters.sized());
    if ((area.attributes & NV.AUTH_READ) === 0) return null;
    const handle = { handle: index, name: nvName(area) };
    const pieces: Buffer[] = [];
    for (let at = 0; at < area.dataSize; at += pieceLength) {
      const size = Math.min(pieceLength, area.dataSize - at);
      const read = await tpm.run(
        {
          code: CC.NV_Read,
          handles: [handle, handle],
          parameters: Buffer.concat([u16(size), u16(at)]),
        },
        [emptyPassword],
      );
      pieces.push(Buffer.from(read.parameters.sized()));
    }
    return derIn(Buffer.concat(pieces));
  } catch (failure) {
    if (isCode(failure, RC.HANDLE, RC.NV_UNINITIALIZED, RC.NV_AUTHORIZATION, RC.BAD_AUTH)) {
      return null;
    }
    throw failure;
  }
}

/** Some makers fill the index up behind the certificate. */
function derIn(bytes: Buffer): Buffer | null {
  if (bytes.length < 4 || bytes[0] !== 0x30 || bytes[1] !== 0x82) return null;
  const length = 4 + bytes.readUInt16BE(2);
  return length <= bytes.length ? bytes.subarray(0, length) : null;
}
