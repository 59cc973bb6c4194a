import { z } from 'zod';
import { encodeBase64 } from '../../base/base64.ts';
import { fields } from './fields.ts';
import { method } from '../method.ts';

const { keyring, kid } = fields;
const readsKeyring = { scope: 'reader', reach: 'keyring', effect: 'reads' } as const;
const signs = { scope: 'app', reach: 'keyring', effect: 'signs' } as const;
const changesKeyring = { scope: 'admin', reach: 'keyring', effect: 'changes' } as const;

/** The methods that are about one keyring (contract section 2). */
export const keyringMethods = {
  describe_backend: method({
    ...readsKeyring,
    params: { keyring },
    act: (params, services) => services.keyring(params.keyring).describeBackend(),
  }),
  active_key_id: method({
    ...readsKeyring,
    params: { keyring },
    act: async (params, services) => ({
      kid: await services.keyring(params.keyring).activeKeyId(),
    }),
  }),
  public_key_b64: method({
    ...readsKeyring,
    params: { keyring, kid },
    act: async (params, services) => ({
      public_key_b64: await services.keyring(params.keyring).publicKeyB64(params.kid),
    }),
  }),
  list_valid_pubkeys: method({
    ...readsKeyring,
    params: { keyring, include_prepared: z.boolean().default(false) },
    act: async ({ include_prepared, ...params }, services) => ({
      keys: await services.keyring(params.keyring).listValidPubkeys({ include_prepared }),
    }),
  }),
  sign: method({
    ...signs,
    params: { keyring, kid: kid.optional(), message_b64: fields.binary },
    messages: ({ message_b64 }) => [message_b64],
    act: async (params, services, { caller }) => {
      const from = services.keyring(params.keyring);
      const made = await services.signing(caller, 1, () =>
        from.sign(params.message_b64, params.kid),
      );
      return { kid: made.kid, signature_b64: encodeBase64(made.signature) };
    },
    resultKid: (result) => result.kid,
  }),
  sign_batch: method({
    ...signs,
    params: { keyring, kid: kid.optional(), messages_b64: fields.batch },
    messages: ({ messages_b64 }) => messages_b64,
    act: async (params, services, { caller }) => {
      const from = services.keyring(params.keyring);
      const { length } = params.messages_b64;
      const made = await services.signing(caller, length, () =>
        from.signBatch(params.messages_b64, params.kid),
      );
      return { kid: made.kid, signatures_b64: made.signatures.map(encodeBase64) };
    },
    resultKid: (result) => result.kid,
  }),
  rotate: method({
    ...changesKeyring,
    params: { keyring, grace_seconds: fields.seconds },
    act: (params, services) => services.keyring(params.keyring).rotate(params.grace_seconds),
    resultKid: (result) => result.new_active_kid,
  }),
  prune_expired_grace: method({
    ...changesKeyring,
    params: { keyring },
    act: async (params, services) => ({
      pruned: await services.keyring(params.keyring).pruneExpiredGrace(),
    }),
  }),
  verify: method({
    ...readsKeyring,
    params: {
      keyring,
      kid: kid.optional(),
      message_b64: fields.binary,
      signature_b64: fields.binary,
    },
    act: (params, services) =>
      services.keyring(params.keyring).verify(params.message_b64, params.signature_b64, params.kid),
  }),
  prepare: method({
    ...changesKeyring,
    params: { keyring, activate_after_seconds: fields.seconds.optional() },
    act: (params, services) =>
      services.keyring(params.keyring).prepare(params.activate_after_seconds),
    resultKid: (result) => result.kid,
  }),
  revoke: method({
    ...changesKeyring,
    params: { keyring, kid, reason: fields.reason.optional() },
    act: (params, services) => services.keyring(params.keyring).revoke(params.kid, params.reason),
  }),
  list_keys: method({
    ...readsKeyring,
    scope: 'admin',
    params: { keyring },
    act: async (params, services) => {
      const of = services.keyring(params.keyring);
      return { keys: await of.listKeys(), next_change: of.nextChange() };
    },
  }),
  unlock: method({
    ...changesKeyring,
    params: { keyring, pin: fields.pin, again: z.boolean().default(false) },
    act: async ({ pin, ...params }, services) => {
      try {
        await services.unlock(params.keyring, pin, params.again);
      } finally {
        pin.fill(0);
      }
      return {};
    },
  }),
  lock: method({
    ...changesKeyring,
    params: { keyring },
    act: async (params, services) => {
      await services.lock(params.keyring);
      return {};
    },
  }),
};
