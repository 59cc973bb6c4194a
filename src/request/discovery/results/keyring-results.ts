import * as z from 'zod';
import {
  algorithm,
  anyObject,
  backend,
  count,
  empty,
  kid,
  protection,
  publicKey,
  signature,
  time,
} from './shapes.ts';

export const nextChange = z.object({ what: z.enum(['prepare', 'activate', 'prune']), at: time });

const attributes = anyObject
  .nullable()
  .describe('What the token itself says of the private key; null where there is no token.');

const prepared = {
  kid,
  public_key_b64: publicKey,
  activates_at: time.nullable().describe('null: the next rotate decides.'),
};

export const keyringResults = {
  describe_backend: z.object({
    name: backend,
    is_hardware_backed: z.boolean().describe('True for protection hardware alone.'),
    protection,
    algorithm,
  }),
  active_key_id: z.object({ kid }),
  public_key_b64: z.object({
    public_key_b64: publicKey
      .nullable()
      .describe('null: the kid is unknown, revoked, or its grace has expired.'),
  }),
  list_valid_pubkeys: z.object({
    keys: z.array(
      z.object({
        kid,
        public_key_b64: publicKey,
        status: z.enum(['active', 'grace', 'prepared']),
        valid_until: time.nullable().describe('End of the grace; null: active or prepared.'),
        created_at: time,
      }),
    ),
  }),
  sign: z.object({ kid, signature_b64: signature }),
  sign_batch: z.object({ kid, signatures_b64: z.array(signature) }),
  verify: z.object({
    valid: z.boolean(),
    kid: kid
      .nullable()
      .describe('The key that made it; where none did, the kid that was asked for, or null.'),
    reason: z.string().exactOptional().describe('Why it is not valid.'),
  }),
  list_keys: z.object({
    keys: z.array(
      z.object({
        kid,
        public_key_b64: publicKey,
        state: z.enum(['prepared', 'active', 'grace', 'revoked', 'retired']),
        created_at: time,
        valid_until: time.nullable(),
        activates_at: time.nullable().exactOptional(),
        revoked_at: time.exactOptional(),
        reason: z.string().exactOptional().describe('Why it was revoked.'),
        protection,
        object_id: z.string().nullable().describe('CKA_ID in hex; null: there is no object.'),
        attributes,
      }),
    ),
    next_change: nextChange.nullable().describe('What changes next by itself.'),
  }),
  attest: anyObject.describe('The attestation: agentctl verify-attestation checks it.'),
  rotate: z.object({
    new_active_kid: kid,
    new_active_public_key_b64: publicKey,
    previous_kid: kid,
    previous_grace_until: time,
  }),
  prepare: z.object(prepared),
  import_key: z.object({ ...prepared, attributes }),
  revoke: z.object({
    kid,
    revoked_at: time,
    new_active_kid: kid.exactOptional().describe('Where the active key was revoked.'),
  }),
  prune_expired_grace: z.object({ pruned: count.describe('How many keys were removed.') }),
  unlock: empty,
  lock: empty,
};
