import { decodeBase64, encodeBase64 } from '../../../base/base64.ts';
import {
  AttestationFault,
  checkAttestation,
  type CheckedAttestation,
} from '../../../formats/tpm/verify-attestation.ts';
import { kidOf } from '../../../algorithms/kid.ts';
import { exitCodes, NotVerifiedError, UsageError } from '../../shell/failure.ts';
import { readInput } from '../../shell/message.ts';
import { Output } from '../../shell/output.ts';
import type { Invocation } from '../../shell/terminal.ts';

export interface VerifyAttestationOptions {
  readonly nonce?: string;
  readonly publicKey?: string;
  readonly attestationKey?: string;
}

/** Two certificates and a few structures of a TPM, bytes. */
const mostBytes = 64 * 1024;

/** `agentctl verify-attestation FILE`: what was checked, and what it does not prove. */
export async function verifyAttestation(
  invocation: Invocation<VerifyAttestationOptions>,
): Promise<number> {
  const { terminal, globals, args, options } = invocation;
  const wanted = {
    nonce: bytesOf('--nonce', options.nonce),
    publicKey: bytesOf('--public-key', options.publicKey),
    attestationKey: options.attestationKey?.toLowerCase() ?? null,
  };
  const text = (await readInput(args[0], terminal, mostBytes)).toString('utf8');
  const checked = check(text, wanted);
  const known = wanted.attestationKey !== null;
  const output = new Output(terminal);
  if (globals.json) {
    output.json({
      kid: kidOf(checked.publicKey),
      public_key_b64: encodeBase64(checked.publicKey),
      attestation_key: checked.attestationKey,
      attestation_key_known: known,
      nonce_checked: wanted.nonce !== null,
      created_with_pcrs: checked.creation?.pcrs ?? null,
      pcr_digest: checked.creation?.pcrDigest ?? null,
      endorsement_issuers: checked.issuers,
    });
    return exitCodes.done;
  }
  for (const line of inWords(checked, known, wanted.nonce !== null)) output.line(line);
  return exitCodes.done;
}

function check(text: string, wanted: Parameters<typeof checkAttestation>[1]): CheckedAttestation {
  let given: unknown;
  try {
    given = JSON.parse(text);
  } catch (failure) {
    throw new NotVerifiedError('the attestation is no JSON', { cause: failure });
  }
  try {
    return checkAttestation(given, wanted);
  } catch (failure) {
    if (!(failure instanceof AttestationFault)) throw failure;
    throw new NotVerifiedError(`the attestation does not hold: ${failure.message}`, {
      cause: failure,
    });
  }
}

function inWords(
  { publicKey, attestationKey, creation, issuers }: CheckedAttestation,
  isKnown: boolean,
  isFresh: boolean,
): readonly string[] {
  return [
    `key ${kidOf(publicKey)} was made in the TPM of the attestation key, and cannot leave it`,
    creation === null
      ? 'how it was made is not attested: another program made it, or the data of its creation was lost'
      : `it was made while PCR ${creation.pcrs.join(', ')} had the digest ${creation.pcrDigest}`,
    `attestation key: ${attestationKey}`,
    isKnown
      ? 'that is the one that was asked for'
      : 'not proved: that this attestation key is of a TPM. Compare its name with one from that machine (--attestation-key)',
    ...(isFresh
      ? []
      : ['not proved: when it was made. Give the nonce that it was asked with (--nonce)']),
    issuers.length === 0
      ? 'the TPM has no endorsement certificate'
      : `endorsement certificates, not checked here, by: ${issuers.join('; ')}`,
  ];
}

function bytesOf(flag: string, text: string | undefined): Uint8Array | null {
  if (text === undefined) return null;
  const bytes = decodeBase64(text);
  if (bytes !== null) return bytes;
  throw new UsageError(`${flag}: must be base64`);
}
