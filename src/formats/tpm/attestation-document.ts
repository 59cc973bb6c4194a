import * as z from 'zod';

/** What `keys attest` answers: everything that whoever checks it needs. Bytes are base64url. */

const bytes = z.base64url();
const signed = z.strictObject({
  /** TPMS_ATTEST */
  attest_b64: bytes,
  /** TPMT_SIGNATURE */
  signature_b64: bytes,
});

export const attestationDocument = z.strictObject({
  version: z.literal(1),
  type: z.literal('tpm2'),
  kid: z.string(),
  public_key_b64: bytes,
  nonce_b64: bytes,
  /** TPMT_PUBLIC of the key. */
  key_public_b64: bytes,
  /** TPMT_PUBLIC of the key that signs what follows. */
  attestation_key_public_b64: bytes,
  /** By TPM2_Certify. */
  certified: signed,
  /** By TPM2_CertifyCreation; null where there is no creation data: another program made the key, or its file was lost. */
  creation: signed.extend({ creation_data_b64: bytes }).nullable(),
  /** X.509, DER, as the maker put it into the TPM; none in many. */
  endorsement_certificates_b64: z.array(bytes),
});

export type AttestationDocument = z.output<typeof attestationDocument>;
