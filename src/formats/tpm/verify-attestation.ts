import { kidOf } from '../../algorithms/kid.ts';
import { createHash, createPublicKey, verify, X509Certificate } from 'node:crypto';
import { readAttested, type Attested } from './attest.ts';
import { attestationDocument, type AttestationDocument } from './attestation-document.ts';
import { TpmFormatError, TpmReader } from './bytes.ts';
import { ALG, OBJECT } from './constants.ts';
import { readCreationData } from './creation-data.ts';
import { nameOf, pointOf, readPublicArea } from './public-area.ts';
import { rawP256, readSignature } from './signature.ts';

/** What is checked of an attestation, without a TPM and without an agent. */
export interface CheckedAttestation {
  readonly publicKey: Buffer;
  /** The name (Part 1, 16) of the key that signed, in hex: whoever knows it to be of a TPM knows the rest. */
  readonly attestationKey: string;
  /** Registers noted when the key was made, and SHA-256 over their values; null: no creation data. */
  readonly creation: { readonly pcrs: readonly number[]; readonly pcrDigest: string } | null;
  /** Of the endorsement certificates: who made the TPM, by its own word. */
  readonly issuers: readonly string[];
}

/** Why an attestation does not prove what it should. */
export class AttestationFault extends Error {
  override readonly name = 'AttestationFault';
}

const keeps = OBJECT.FIXED_TPM | OBJECT.FIXED_PARENT | OBJECT.SENSITIVE_DATA_ORIGIN;
const signs = keeps | OBJECT.SIGN;
const attests = signs | OBJECT.RESTRICTED;

/** What was asked for; each is null where nobody asked. */
export interface WantedAttestation {
  readonly nonce: Uint8Array | null;
  readonly publicKey: Uint8Array | null;
  /** In hex. */
  readonly attestationKey: string | null;
}

/** Throws AttestationFault for what does not hold. */
export function checkAttestation(given: unknown, wanted: WantedAttestation): CheckedAttestation {
  try {
    return check(attestationDocument.parse(given), wanted);
  } catch (failure) {
    if (failure instanceof AttestationFault) throw failure;
    if (failure instanceof TpmFormatError) fault(failure.message);
    throw new AttestationFault('it is no attestation as agentctl keys attest makes it', {
      cause: failure,
    });
  }
}

function check(document: AttestationDocument, wanted: WantedAttestation): CheckedAttestation {
  const keyArea = bytesOf(document.key_public_b64);
  const publicKey = checkKey(keyArea, document, wanted);
  const akArea = bytesOf(document.attestation_key_public_b64);
  const attestationKey = checkAttestationKey(akArea, wanted);
  const nonce = bytesOf(document.nonce_b64);
  if (wanted.nonce !== null && Buffer.compare(nonce, wanted.nonce) !== 0) {
    fault('it was made for another nonce');
  }
  const name = nameOf(keyArea);
  const certified = signedBy(akArea, document.certified, nonce);
  if (certified.is !== 'certify' || !certified.name.equals(name)) {
    fault('what the TPM certifies is another key');
  }
  return {
    publicKey,
    attestationKey,
    creation: checkCreation(document, akArea, nonce, name),
    issuers: document.endorsement_certificates_b64.map(issuerOf),
  };
}

function checkKey(area: Buffer, document: AttestationDocument, wanted: WantedAttestation): Buffer {
  const key = readPublicArea(area);
  const point = pointOf(key);
  if (point === null) fault('the key is no key of P-256');
  if (!point.equals(bytesOf(document.public_key_b64)) || kidOf(point) !== document.kid) {
    fault('it shows one key and names another');
  }
  if (wanted.publicKey !== null && Buffer.compare(point, wanted.publicKey) !== 0) {
    fault('it is of another key than the one that was asked for');
  }
  const left = signs & ~key.attributes;
  if (left !== 0) fault('the key may leave the TPM, was made outside of it, or does not sign');
  return point;
}

function checkAttestationKey(area: Buffer, wanted: WantedAttestation): string {
  const key = readPublicArea(area);
  if ((attests & ~key.attributes) !== 0) {
    fault('the key that attests is no restricted signing key: it signs what it is told');
  }
  const name = nameOf(area).toString('hex');
  if (wanted.attestationKey !== null && wanted.attestationKey !== name) {
    fault(`it is attested by ${name}, and not by ${wanted.attestationKey}`);
  }
  return name;
}

function checkCreation(
  { creation }: AttestationDocument,
  akArea: Buffer,
  nonce: Buffer,
  name: Buffer,
): CheckedAttestation['creation'] {
  if (creation === null) return null;
  const attested = signedBy(akArea, creation, nonce);
  const data = bytesOf(creation.creation_data_b64);
  const digest = createHash('sha256').update(data).digest();
  if (attested.is !== 'creation' || !attested.name.equals(name)) {
    fault('the creation that the TPM certifies is of another key');
  }
  if (!attested.creationHash.equals(digest)) fault('the creation data was changed');
  const { pcrs, pcrDigest } = readCreationData(data);
  return { pcrs, pcrDigest: pcrDigest.toString('hex') };
}

function signedBy(
  akArea: Buffer,
  { attest_b64, signature_b64 }: AttestationDocument['certified'],
  nonce: Buffer,
): Attested['what'] {
  const attest = bytesOf(attest_b64);
  const reader = new TpmReader(bytesOf(signature_b64), 'a signature');
  const signature = readSignature(reader);
  reader.end();
  const point = pointOf(readPublicArea(akArea));
  if (point === null) fault('the key that attests is no key of P-256');
  if (signature.hash !== ALG.SHA256) fault('it is signed over another digest than SHA-256');
  const half = (from: number): string => point.toString('base64url', from, from + 32);
  const key = createPublicKey({
    key: { kty: 'EC', crv: 'P-256', x: half(1), y: half(33) },
    format: 'jwk',
  });
  const raw = rawP256(signature);
  if (!verify('sha256', attest, { key, dsaEncoding: 'ieee-p1363' }, raw)) {
    fault('its signature does not verify');
  }
  const attested = readAttested(attest);
  if (!attested.extraData.equals(nonce)) fault('what is signed has another nonce');
  return attested.what;
}

/** Not checked against anybody: roots of makers are for whoever checks. */
function issuerOf(certificate: string): string {
  try {
    return new X509Certificate(bytesOf(certificate)).issuer.replaceAll('\n', ', ');
  } catch {
    return fault('an endorsement certificate is none');
  }
}

function bytesOf(text: string): Buffer {
  return Buffer.from(text, 'base64url');
}

function fault(what: string): never {
  throw new AttestationFault(what);
}
