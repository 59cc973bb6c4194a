import * as z from 'zod';
import { base64url, count, kid, time } from './shapes.ts';

const scope = z.enum(['reader', 'app', 'admin']);
const texts = z.array(z.string());

const apiKeyView = {
  id: z.string(),
  created_at: time,
  expires_at: time.nullable().describe('null: never.'),
  allowed_users: texts.nullable().describe('null, here and below: no such restriction.'),
  allowed_machines: texts.nullable(),
  allowed_keyrings: texts.nullable(),
  allowed_purposes: texts.nullable(),
  max_signatures_per_second: count.nullable(),
  max_connections: count.nullable(),
  note: z.string().nullable(),
};
const updatedApiKey = {
  ...apiKeyView,
  scope,
  warnings: texts.describe('Names that allow nobody.'),
};

const clientKey = z.object({
  id: z.string().regex(/^ck_[0-9a-f]{32}$/),
  actor: z.object({
    kind: z.enum(['user', 'api_key']),
    id: z.string(),
    name: z.string().nullable().describe('The login name; null: there is none.'),
  }),
  public_key_b64: base64url(32),
  recipient: z.string().describe('The same key as age writes it.'),
  label: z.string().nullable(),
  created_at: time,
  last_used_at: time.nullable(),
  revoked_at: time.nullable(),
});

/** API keys, client keys, and backups for those. */
export const registryResults = {
  apikey_list: z.object({
    keys: z.array(
      z.object({
        ...apiKeyView,
        prefix: z.string(),
        scope: scope.nullable(),
        last_used_at: time.nullable(),
        state: z.enum(['valid', 'expired', 'refused']),
        refused_reason: z.string().exactOptional(),
      }),
    ),
    last_used_since: time.nullable().describe('Uses are remembered since then.'),
  }),
  apikey_create: z.object({
    ...updatedApiKey,
    secret: z.string().exactOptional().describe('Shown here and nowhere else.'),
    sealed: z.string().exactOptional().describe('With seal_to: the secret as an age file.'),
  }),
  apikey_update: z.object(updatedApiKey),
  apikey_revoke: z.object({ id: z.string(), revoked_at: time }),

  clientkey_list: z.object({
    keys: z.array(clientKey),
    older_revoked: count.exactOptional().describe('Revoked before those that are listed.'),
  }),
  clientkey_show: clientKey,
  clientkey_register: clientKey,
  clientkey_revoke: clientKey,

  backup: z.object({
    keyring: z.string(),
    kids: z.array(kid),
    recipients: z.array(z.object({ id: z.string(), recipient: z.string() })),
    age: z.string().describe('The keystore as an armored age file.'),
  }),
  restore: z.object({
    keyring: z.string(),
    active_kid: kid,
    previous_active_kid: kid.nullable(),
    kids: z.array(kid).describe('Every key that the backup brings.'),
    returning: z.array(kid).describe('Those of them that were not there before.'),
    leaving: z.array(kid).describe('Keys that were there and are not in the backup.'),
    unrevoked: z.array(kid).describe('Keys that were revoked since, and are valid again.'),
    file: z.string(),
    previous_file: z.string().nullable(),
    latest_time_ahead: time.nullable(),
  }),
};
