import * as z from 'zod';
import { encodeBase64 } from '../../base/base64.ts';
import { fields } from './fields.ts';
import { method, outcome } from '../method.ts';

const { keyring, kid } = fields;
const reader = { scope: 'reader', reach: 'keyring', purpose: null } as const;
const app = { scope: 'app', reach: 'keyring' } as const;
const admin = { scope: 'admin', reach: 'keyring', purpose: null } as const;

/** The methods that are about one keyring (docs/protocol.md). */
export const keyringMethods = {
  describe_backend: method({
    ...reader,
    params: { keyring },
    act: async (params, services) =>
      outcome(await services.keyring(params.keyring).describeBackend()),
  }),
  active_key_id: method({
    ...reader,
    params: { keyring },
    act: async (params, services) =>
      outcome({ kid: await services.keyring(params.keyring).activeKeyId() }),
  }),
  public_key_b64: method({
    ...reader,
    params: { keyring, kid },
    act: async (params, services) => {
      const of = services.keyring(params.keyring);
      return outcome({ public_key_b64: await of.publicKeyB64(params.kid) });
    },
  }),
  list_valid_pubkeys: method({
    ...reader,
    params: { keyring, include_prepared: z.boolean().default(false) },
    act: async ({ include_prepared: includePrepared, ...params }, services) => {
      const of = services.keyring(params.keyring);
      return outcome({ keys: await of.listValidPubkeys({ includePrepared }) });
    },
  }),
  sign: method({
    ...app,
    purpose: 'raw',
    params: { keyring, kid: kid.optional(), message_b64: fields.binary },
    messages: ({ message_b64 }) => [message_b64],
    act: async (params, services, { caller }) => {
      const from = services.keyring(params.keyring);
      const made = await services.signing(caller, 1, () =>
        from.sign(params.message_b64, params.kid),
      );
      const { kid: by } = made;
      return outcome({ kid: by, signature_b64: encodeBase64(made.signature) }, { kid: by });
    },
  }),
  sign_batch: method({
    ...app,
    purpose: 'raw',
    params: { keyring, kid: kid.optional(), messages_b64: fields.batch },
    messages: ({ messages_b64 }) => messages_b64,
    act: async (params, services, { caller }) => {
      const from = services.keyring(params.keyring);
      const { length } = params.messages_b64;
      const made = await services.signing(caller, length, () =>
        from.signBatch(params.messages_b64, params.kid),
      );
      const { kid: by } = made;
      return outcome({ kid: by, signatures_b64: made.signatures.map(encodeBase64) }, { kid: by });
    },
  }),
  rotate: method({
    ...admin,
    params: { keyring, grace_seconds: fields.seconds },
    act: async (params, services) => {
      const rotation = await services.keyring(params.keyring).rotate(params.grace_seconds);
      return outcome(rotation, { kid: rotation.new_active_kid });
    },
  }),
  prune_expired_grace: method({
    ...admin,
    params: { keyring, left_over: z.boolean().default(false) },
    act: async ({ keyring: name, left_over: leftOver }, services) =>
      outcome({ pruned: await services.keyring(name).pruneExpiredGrace({ leftOver }) }),
  }),
  verify: method({
    ...reader,
    params: {
      keyring,
      kid: kid.optional(),
      message_b64: fields.binary,
      signature_b64: fields.binary,
    },
    act: async ({ message_b64, signature_b64, ...params }, services) => {
      const of = services.keyring(params.keyring);
      return outcome(await of.verify(message_b64, signature_b64, params.kid));
    },
  }),
  prepare: method({
    ...admin,
    params: { keyring, activate_after_seconds: fields.seconds.optional() },
    act: async (params, services) => {
      const of = services.keyring(params.keyring);
      const prepared = await of.prepare(params.activate_after_seconds);
      return outcome(prepared, { kid: prepared.kid });
    },
  }),
  import_key: method({
    ...admin,
    params: {
      keyring,
      key_file: fields.keyFile,
      password: fields.pin.optional(),
      activate_after_seconds: fields.seconds.optional(),
    },
    act: async ({ key_file: file, password = null, ...params }, services) => {
      const into = services.keyring(params.keyring);
      const imported = await into.importKey({ file, password }, params.activate_after_seconds);
      return outcome(imported, { kid: imported.kid });
    },
  }),
  revoke: method({
    ...admin,
    isUrgent: true,
    params: { keyring, kid, reason: fields.reason.optional() },
    act: async (params, services) =>
      outcome(await services.keyring(params.keyring).revoke(params.kid, params.reason)),
  }),
  list_keys: method({
    ...admin,
    params: { keyring },
    act: async (params, services) => {
      const of = services.keyring(params.keyring);
      return outcome({ keys: await of.listKeys(), next_change: of.nextChange() });
    },
  }),
  attest: method({
    ...admin,
    params: { keyring, kid, nonce_b64: fields.nonce },
    act: async ({ nonce_b64: nonce, ...params }, services) =>
      outcome(await services.keyring(params.keyring).attest(params.kid, nonce), {
        kid: params.kid,
      }),
  }),
  unlock: method({
    ...admin,
    isUrgent: true,
    params: { keyring, pin: fields.pin, again: z.boolean().default(false) },
    act: async ({ pin, ...params }, services) => {
      try {
        await services.unlock(params.keyring, pin, params.again);
      } finally {
        pin.fill(0);
      }
      return outcome({});
    },
  }),
  lock: method({
    ...admin,
    isUrgent: true,
    params: { keyring },
    act: async (params, services) => {
      await services.lock(params.keyring);
      return outcome({});
    },
  }),
};
