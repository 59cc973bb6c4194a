import * as z from 'zod';
import { readPublicKey, recipientOf } from '../../formats/age/age-recipient.ts';
import type { Actor } from '../../api/client-keys.ts';
import { isClientKeyId } from '../../access/client-key.ts';
import type { Registration } from '../../access/client-keys.ts';
import { method, outcome } from '../method.ts';

const publicKey = z
  .string()
  .max(2000)
  .transform((text, context) => {
    const read = readPublicKey(text.trim());
    if ('key' in read) return read.key;
    context.addIssue(read.fault);
    return z.NEVER;
  });

const id = z
  .string()
  .refine(isClientKeyId, 'must be ck_ and 32 lowercase hex digits')
  .meta({ pattern: '^ck_[0-9a-f]{32}$' });

const label = z
  .string()
  .min(1)
  .max(100)
  .refine((text) => !/[\p{Cc}\p{Cs}\p{Zl}\p{Zp}]/u.test(text), 'must be one line of text');

const actor = z.strictObject({
  kind: z.enum(['user', 'api_key']),
  /** Of a user: the uid in decimal, or the login name. */
  id: z.string().min(1).max(256),
});

const own = { scope: 'app', reach: 'caller' } as const;

/** What a field of params takes that names client keys; for other methods too. */
export const clientKeyIds = z.array(id).min(1).max(20);

interface RegistrationParams {
  readonly public_key: Uint8Array;
  readonly label?: string | undefined;
  readonly actor?: Actor | undefined;
}

function registrationOf({ public_key: publicKey, ...params }: RegistrationParams): Registration {
  return { publicKey, label: params.label ?? null, actor: params.actor ?? null };
}

/** The registry of client keys. Whose keys a caller may touch is decided where they are kept (`ClientKeys`). */
export const clientKeyMethods = {
  clientkey_register: method({
    ...own,
    params: { public_key: publicKey, label: label.optional(), actor: actor.optional() },
    // Before it is done the key has no id; this one says what can be opened with it, for good.
    subject: (params) => recipientOf(params.public_key),
    foresee: (params, services, { grant }) => {
      services.clientKeys.foresee(registrationOf(params), grant);
    },
    act: async (params, services, { grant }) =>
      outcome(await services.clientKeys.register(registrationOf(params), grant)),
  }),
  clientkey_list: method({
    ...own,
    params: { include_revoked: z.boolean().default(false), actor: actor.optional() },
    act: (params, services, { grant }) => {
      const of = { actor: params.actor ?? null, revokedToo: params.include_revoked };
      return outcome(services.clientKeys.list(of, grant));
    },
  }),
  clientkey_show: method({
    ...own,
    params: { id },
    subject: (params) => params.id,
    act: (params, services, { grant }) => outcome(services.clientKeys.show(params.id, grant)),
  }),
  clientkey_revoke: method({
    ...own,
    params: { id },
    subject: (params) => params.id,
    act: async (params, services, { grant }) =>
      outcome(await services.clientKeys.revoke(params.id, grant)),
  }),
};
