import { createHash } from 'node:crypto';
import { AgentError } from '../../base/errors.ts';
import { ALG, CC, OBJECT } from '../../formats/tpm/constants.ts';
import {
  encodePcrSelection,
  pcrDigest,
  policyDigest,
  readPcrValues,
} from '../../formats/tpm/pcr.ts';
import type { PublicArea } from '../../formats/tpm/public-area.ts';
import { RC } from '../../formats/tpm/response-codes.ts';
import type { Tss2Key } from '../../formats/tpm/tss2-key.ts';
import type { TpmConnection } from './connection.ts';
import { policySteps, protectionOf, type Protection } from './stored/key-file.ts';
import { createObject, unseal } from './objects.ts';
import type { Tpm } from './tpm.ts';
import { isCode, type TpmError } from './tpm-error.ts';

/** A secret of 32 bytes that the TPM gives back where its protection is fulfilled. */

/** The longest authorisation value of an object whose name is a SHA-256 digest. */
const longestAuth = 32;

/** A PIN as the authorisation value: itself, or its digest where it is too long. The caller's to wipe. */
function authOf(pin: Uint8Array | null): Buffer {
  if (pin === null) return Buffer.alloc(0);
  if (pin.length <= longestAuth) return Buffer.from(pin);
  return createHash('sha256').update(pin).digest();
}

/**
 * Seals a secret, proves that it comes back, and answers the key file's content. With a PIN the TPM counts wrong
 * ones; without one nothing can be guessed, and what others get wrong does not lock it (noDA).
 */
export async function sealKey(
  connection: TpmConnection,
  secret: Uint8Array,
  { pcrs, pin }: { readonly pcrs: readonly number[]; readonly pin: Uint8Array | null },
): Promise<Tss2Key> {
  const protection = { pcrs, pin: pin !== null };
  const digest = pcrs.length === 0 ? null : await currentDigest(connection.tpm, pcrs);
  const auth = authOf(pin);
  try {
    const { public: publicArea, private: privateArea } = await createObject(connection, {
      template: template(protection, digest),
      auth,
      data: secret,
      outsideInfo: Buffer.alloc(0),
      pcrs: [],
    });
    const key: Tss2Key = {
      type: 'sealed',
      emptyAuth: pin === null,
      policy: policySteps(protection, digest),
      parent: connection.root.parent,
      public: publicArea,
      private: privateArea,
    };
    await proveSealed(connection, key, pin, secret);
    return key;
  } finally {
    auth.fill(0);
  }
}

/** The caller's to wipe. Throws `locked` (PIN) and `backend_unavailable` (PCRs), or the TPM's own errors. */
export async function unsealKey(
  connection: TpmConnection,
  key: Tss2Key,
  pin: Uint8Array | null,
): Promise<Buffer> {
  const protection = protectionOf(key);
  const auth = authOf(pin);
  const object = await connection.objects.load(connection, key);
  try {
    if (protection.pcrs.length === 0) return await unseal(connection, object, auth, null);
    return await connection.withPolicy(protection, (session) =>
      unseal(connection, object, auth, session),
    );
  } catch (failure) {
    if (isCode(failure, RC.POLICY_FAIL, RC.PCR_CHANGED)) {
      throw new PcrsDiffer(protection.pcrs, failure);
    }
    if (protection.pin && isCode(failure, RC.AUTH_FAIL)) throw new PinRefused(failure);
    throw failure;
  } finally {
    auth.fill(0);
    // Nothing keeps it loaded that is used once a start.
    await connection.objects.unload(object).catch(() => null);
  }
}

/** The TPM was asked with this PIN, and it is another one. */
export class PinRefused extends AgentError {
  constructor(cause: TpmError) {
    super(
      'locked',
      `the TPM refused the PIN, and counts that: after some more it locks itself for every program (${cause.message})`,
      { cause },
    );
  }
}

/** The registers have other values than when the secret was sealed. */
export class PcrsDiffer extends AgentError {
  constructor(pcrs: readonly number[], cause: unknown) {
    super(
      'backend_unavailable',
      `PCR ${pcrs.join(', ')} of the TPM ${pcrs.length === 1 ? 'has another value' : 'have other values'} than when ` +
        'the key of this keyring was sealed: the firmware, its settings or what was started are others',
      { cause },
    );
  }
}

async function proveSealed(
  connection: TpmConnection,
  key: Tss2Key,
  pin: Uint8Array | null,
  secret: Uint8Array,
): Promise<void> {
  const back = await unsealKey(connection, key, pin);
  const same = back.equals(secret);
  back.fill(0);
  if (same) return;
  throw new AgentError('backend_unavailable', 'the TPM gives back another secret than it sealed');
}

function template({ pcrs, pin }: Protection, digest: Buffer | null): PublicArea {
  const withPolicy = digest !== null;
  return {
    type: 'keyedhash',
    nameAlg: ALG.SHA256,
    attributes:
      OBJECT.FIXED_TPM |
      OBJECT.FIXED_PARENT |
      (withPolicy ? 0 : OBJECT.USER_WITH_AUTH) |
      (pin ? 0 : OBJECT.NO_DA),
    authPolicy: withPolicy ? policyDigest(pcrs, digest, pin) : Buffer.alloc(0),
    unique: Buffer.alloc(0),
  };
}

/** Of the values that the registers have now. What is read here is proved by opening what is sealed to it. */
async function currentDigest(tpm: Tpm, pcrs: readonly number[]): Promise<Buffer> {
  const values = new Map<number, Buffer>();
  while (values.size < pcrs.length) {
    const left = pcrs.filter((pcr) => !values.has(pcr));
    const { parameters } = await tpm.run({
      code: CC.PCR_Read,
      handles: [],
      parameters: encodePcrSelection(left),
    });
    const read = readPcrValues(parameters);
    if (read.pcrs.length === 0) {
      throw new AgentError(
        'not_supported',
        `the TPM has no PCR ${left.join(', ')} in its SHA-256 bank, which the firmware may turn on`,
      );
    }
    read.pcrs.forEach((pcr, at) => values.set(pcr, read.values[at] ?? Buffer.alloc(0)));
  }
  return pcrDigest(pcrs.map((pcr) => values.get(pcr) ?? Buffer.alloc(0)));
}
