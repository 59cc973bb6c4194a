import { z } from 'zod';
import type { Principal, Scope } from '../access/principal.ts';
import { encodeBase64 } from '../base64.ts';
import type { Keyring } from '../keyring/keyring.ts';
import { fields } from './fields.ts';
import type { AgentStatus } from './status.ts';

/** What methods act on. */
export interface Services {
  /** The keyring of that name. Throws `not_found`, or `backend_unavailable` while it is not open. */
  keyring(name: string): Keyring;
  status(): AgentStatus;
  /** Opens a locked keyring. `pin` stays the caller's; `again`: also one that the token has refused before. */
  unlock(keyring: string, pin: Buffer, again: boolean): Promise<void>;
  /** Closes a keyring and forgets its PIN. */
  lock(keyring: string): Promise<void>;
  /**
   * Makes so many signatures, and counts them for `status`. Rejects with `overloaded` where they do not fit into
   * the agent's queue.
   */
  signing<T>(signatures: number, make: () => Promise<T>): Promise<T>;
}

export interface Method {
  /** The least scope that may call it; `none` means anybody who can connect. */
  readonly scope: Scope;
  /** Checks the params, then acts. Rejects with a ZodError for params that do not fit. */
  readonly act: (params: unknown, services: Services, caller: Principal) => Promise<unknown>;
}

const { keyring, kid } = fields;

/** Every method of the socket (contract section 2). Nothing else can be called. */
export const methods: ReadonlyMap<string, Method> = new Map(
  Object.entries({
    describe_backend: method('reader', { keyring }, (params, services) =>
      services.keyring(params.keyring).describeBackend(),
    ),
    active_key_id: method('reader', { keyring }, async (params, services) => ({
      kid: await services.keyring(params.keyring).activeKeyId(),
    })),
    public_key_b64: method('reader', { keyring, kid }, async (params, services) => ({
      public_key_b64: await services.keyring(params.keyring).publicKeyB64(params.kid),
    })),
    list_valid_pubkeys: method(
      'reader',
      { keyring, include_prepared: z.boolean().default(false) },
      async ({ include_prepared, ...params }, services) => ({
        keys: await services.keyring(params.keyring).listValidPubkeys({ include_prepared }),
      }),
    ),
    sign: method(
      'app',
      { keyring, kid: kid.optional(), message_b64: fields.binary },
      async (params, services) => {
        const from = services.keyring(params.keyring);
        const made = await services.signing(1, () => from.sign(params.message_b64, params.kid));
        return { kid: made.kid, signature_b64: encodeBase64(made.signature) };
      },
    ),
    sign_batch: method(
      'app',
      { keyring, kid: kid.optional(), messages_b64: fields.batch },
      async (params, services) => {
        const from = services.keyring(params.keyring);
        const { length } = params.messages_b64;
        const made = await services.signing(length, () =>
          from.signBatch(params.messages_b64, params.kid),
        );
        return { kid: made.kid, signatures_b64: made.signatures.map(encodeBase64) };
      },
    ),
    rotate: method('admin', { keyring, grace_seconds: fields.seconds }, (params, services) =>
      services.keyring(params.keyring).rotate(params.grace_seconds),
    ),
    prune_expired_grace: method('admin', { keyring }, async (params, services) => ({
      pruned: await services.keyring(params.keyring).pruneExpiredGrace(),
    })),
    verify: method(
      'reader',
      {
        keyring,
        kid: kid.optional(),
        message_b64: fields.binary,
        signature_b64: fields.binary,
      },
      (params, services) =>
        services
          .keyring(params.keyring)
          .verify(params.message_b64, params.signature_b64, params.kid),
    ),
    prepare: method(
      'admin',
      { keyring, activate_after_seconds: fields.seconds.optional() },
      (params, services) => services.keyring(params.keyring).prepare(params.activate_after_seconds),
    ),
    revoke: method(
      'admin',
      { keyring, kid, reason: fields.reason.optional() },
      (params, services) => services.keyring(params.keyring).revoke(params.kid, params.reason),
    ),
    list_keys: method('admin', { keyring }, async (params, services) => {
      const of = services.keyring(params.keyring);
      return { keys: await of.listKeys(), next_change: of.nextChange() };
    }),
    unlock: method(
      'admin',
      { keyring, pin: fields.pin, again: z.boolean().default(false) },
      async ({ pin, ...params }, services) => {
        try {
          await services.unlock(params.keyring, pin, params.again);
        } finally {
          pin.fill(0);
        }
        return {};
      },
    ),
    lock: method('admin', { keyring }, async (params, services) => {
      await services.lock(params.keyring);
      return {};
    }),
    ping: method('none', {}, () => ({})),
    whoami: method('none', {}, (_params, _services, principal) => ({ principal })),
    status: method('reader', {}, (_params, services) => services.status()),
  }),
);

function method<S extends z.core.$ZodLooseShape>(
  scope: Scope,
  shape: S,
  act: (params: z.output<z.ZodObject<S>>, services: Services, caller: Principal) => unknown,
): Method {
  const schema = z.strictObject(shape);
  return {
    scope,
    act: async (given, services, caller) => {
      const params = schema.parse(given);
      return await act(params, services, caller);
    },
  };
}
