import * as z from 'zod';
import { isNamespace, purposesOf } from '../../access/purposes.ts';
import { encodeBase64 } from '../../base/base64.ts';
import { AgentError } from '../../base/errors.ts';
import { isClaimsSet } from '../../formats/jose/signing-input.ts';
import { isJsonObject } from '../../formats/jose/json-object.ts';
import { keyIdOf } from '../../formats/minisign/key-id.ts';
import { encodeSignatureFile, globalMessage } from '../../formats/minisign/signature.ts';
import { digestLength } from '../../formats/minisign/signed-message.ts';
import { faultOfTrustedComment } from '../../formats/minisign/trusted-comment.ts';
import { encodeSshsig, sshsigHashes, sshsigMessage } from '../../formats/ssh/sshsig.ts';
import type { Keyring } from '../../keyring/keyring.ts';
import { fields } from './fields.ts';
import { signJws } from './jwt/jws-signing.ts';
import { method, outcome } from '../method.ts';

const { keyring, kid } = fields;
const app = { scope: 'app', reach: 'keyring' } as const;

const namespace = z
  .string()
  .refine(isNamespace, 'must be one line of text, at most 255 characters')
  .meta({ minLength: 1, maxLength: 255 });
const trustedComment = z.string().superRefine((text, context) => {
  const fault = faultOfTrustedComment(text);
  if (fault !== null) context.addIssue(fault);
});
const headers = z
  .custom<Readonly<Record<string, unknown>>>(isJsonObject, 'must be a JSON object')
  .meta({ type: 'object' });

/**
 * Signatures in the formats of other programs, made whole by the agent: whoever may have one made has no bytes signed
 * that are something else. Of files the agent gets the digest.
 */
export const formatMethods = {
  sign_sshsig: method({
    ...app,
    params: {
      keyring,
      kid: kid.optional(),
      namespace,
      hash_algorithm: z.enum(['sha256', 'sha512']),
      digest_b64: fields.binary,
    },
    purpose: (params) => `sshsig:${params.namespace}`,
    messages: (params) => [sshsigMessage(...sshsigOf(params))],
    act: async (params, services, { caller }) => {
      const from = services.keyring(params.keyring);
      const [context, digest] = sshsigOf(params);
      const message = sshsigMessage(context, digest);
      const made = await byOneKey(from, params.kid, async (key) => {
        const { signature } = await services.signing(caller, 1, () => from.sign(message, key.kid));
        return { key, signature };
      });
      const { key, signature } = made;
      const signer = { algorithm: from.description.algorithm, bytes: key.publicKey };
      const sshsig = encodeSshsig(signer, context, signature);
      const signature_b64 = encodeBase64(signature);
      return outcome({ kid: key.kid, signature_b64, sshsig }, { kid: key.kid });
    },
  }),
  sign_minisign: method({
    ...app,
    params: {
      keyring,
      kid: kid.optional(),
      digest_b64: fields.binary.refine(
        ({ length }) => length === digestLength,
        `must be a BLAKE2b-512, ${digestLength} bytes in base64`,
      ),
      trusted_comment: trustedComment,
    },
    purpose: 'minisign',
    messages: ({ digest_b64 }) => [digest_b64],
    // Whoever gives a digest chooses 64 bytes, and a token may have no more.
    content: ({ digest_b64 }) => purposesOf(digest_b64),
    signatures: 2,
    act: async ({ digest_b64: digest, ...params }, services, { caller }) => {
      const from = services.keyring(params.keyring);
      requireEd25519(from);
      const comment = Buffer.from(params.trusted_comment, 'utf8');
      const made = await byOneKey(from, params.kid, (key) =>
        services.signing(caller, 2, async () => {
          const { signature } = await from.sign(digest, key.kid);
          // Covers the first, and so cannot be made along with it.
          const covered = globalMessage(signature, comment);
          return { key, signature, covered, global: (await from.sign(covered, key.kid)).signature };
        }),
      );
      const { key, signature, covered, global } = made;
      const file = {
        isPrehashed: true,
        keyId: keyIdOf(key.publicKey),
        signature: Buffer.from(signature),
        trustedComment: comment,
        globalSignature: Buffer.from(global),
      };
      const result = {
        kid: key.kid,
        signature_b64: encodeBase64(signature),
        global_signature_b64: encodeBase64(global),
        minisig: encodeSignatureFile(file, `signature by key ${key.kid}`),
      };
      return outcome(result, { kid: key.kid, signed: [digest, covered] });
    },
  }),
  sign_jws: method({
    ...app,
    params: {
      keyring,
      kid: kid.optional(),
      payload_b64: fields.binary,
      headers: headers.default({}),
    },
    purpose: 'jws',
    // Whoever verifies tokens takes every JSON object for one.
    content: ({ payload_b64 }) => (isClaimsSet(payload_b64) ? ['jws', 'jwt'] : ['jws']),
    signatures: 1,
    act: async ({ payload_b64: payload, ...params }, services, { caller }) => {
      const from = services.keyring(params.keyring);
      const made = await byOneKey(from, params.kid, (key) =>
        signJws(
          { payload, headers: params.headers, kid: key.kid },
          { keyring: from, signing: (make) => services.signing(caller, 1, make) },
        ),
      );
      const { signed, signedBytes } = made;
      return outcome(signed, { kid: signed.kid, signed: [signedBytes] });
    },
  }),
};

type SigningKey = ReturnType<Keyring['validKeys']>[number];

/**
 * Makes all of it by one key: that of the kid, else the active one, and the next one where that was replaced meanwhile
 * and is valid no more. Rejects with `unknown_kid`.
 */
async function byOneKey<T>(
  keyring: Keyring,
  kid: string | undefined,
  make: (key: SigningKey) => Promise<T>,
): Promise<T> {
  const key = keyOf(keyring, kid ?? keyring.activeKid());
  try {
    return await make(key);
  } catch (failure) {
    const wasReplaced = failure instanceof AgentError && failure.kind === 'unknown_kid';
    if (kid !== undefined || !wasReplaced || keyring.activeKid() === key.kid) throw failure;
    return make(keyOf(keyring, keyring.activeKid()));
  }
}

function keyOf(keyring: Keyring, kid: string): SigningKey {
  const key = keyring.validKeys().find((one) => one.kid === kid);
  if (key !== undefined) return key;
  throw new AgentError('unknown_kid', `no valid key ${kid} in keyring ${keyring.name}`);
}

function sshsigOf(params: {
  readonly namespace: string;
  readonly hash_algorithm: keyof typeof sshsigHashes;
  readonly digest_b64: Buffer;
}): Parameters<typeof sshsigMessage> {
  const { namespace: name, hash_algorithm: hash, digest_b64: digest } = params;
  if (digest.length !== sshsigHashes[hash]) {
    throw invalid('digest_b64', `must be a ${hash}, ${sshsigHashes[hash]} bytes in base64`);
  }
  return [{ namespace: name, reserved: Buffer.alloc(0), hash }, digest];
}

function requireEd25519({ name, description: { algorithm } }: Keyring): void {
  if (algorithm === 'ed25519') return;
  throw new AgentError(
    'not_supported',
    `minisign knows Ed25519 alone, and keyring ${name} has ${algorithm} keys: sign_sshsig takes both`,
  );
}

function invalid(field: string, message: string): AgentError {
  return new AgentError('invalid_params', `${field}: ${message}`, {
    details: { issues: [{ field, message }] },
  });
}
