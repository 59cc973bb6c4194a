import type { MethodTexts } from './method-text.ts';

const clientKeyId = 'The client key, ck_ and 32 hex digits.';
const restrictions = {
  scope: 'What the key may do.',
  allowed_keyrings: 'The keyrings that it is for; null: all.',
  allowed_purposes: 'The purposes that it may sign for; null: all that its keyrings have.',
  allowed_users: 'Who may use it, login names or uids; null: everybody.',
  allowed_machines: 'Where it may be used: this, or fingerprints; null: anywhere.',
  expires_in_seconds: 'In place of expires_at.',
  expires_at: 'null: never.',
  max_signatures_per_second: 'null: no such limit.',
  max_connections: 'null: no such limit.',
  note: 'For people.',
};
const changesFile = ['conflict', 'backend_unavailable'] as const;

export const registryTexts: MethodTexts<
  | 'apikey_list'
  | 'apikey_create'
  | 'apikey_update'
  | 'apikey_revoke'
  | 'clientkey_list'
  | 'clientkey_show'
  | 'clientkey_register'
  | 'clientkey_revoke'
  | 'backup'
  | 'restore'
> = {
  apikey_list: {
    summary: 'The API keys, refused and expired ones too. Never a secret.',
    errors: ['backend_unavailable'],
  },
  apikey_create: {
    summary:
      'A new API key. Its secret is in this answer and nowhere else: where the answer is lost, revoke the key.',
    params: {
      id: 'Its name: 1 to 31 of a-z, 0-9 and -.',
      ...restrictions,
      seal_to: 'A client key: the secret is answered as an age file for it.',
    },
    errors: ['already_exists', 'not_found', 'not_supported', ...changesFile],
  },
  apikey_update: {
    summary: 'Replaces what is given and leaves the rest as it is.',
    params: { id: 'Its name.', ...restrictions },
    errors: ['not_found', 'not_supported', ...changesFile],
  },
  apikey_revoke: {
    summary: 'The key is accepted no more, on open connections either.',
    params: { id: 'Its name.' },
    errors: ['not_found', ...changesFile],
  },
  clientkey_list: {
    summary: "The caller's client keys, and for an admin everybody's; the newest first.",
    params: {
      include_revoked: 'Revoked ones too, the last thousand.',
      actor: 'Whose alone: a user (uid or login name) or an API key (its id).',
    },
    errors: ['not_found', 'backend_unavailable'],
  },
  clientkey_show: {
    summary: 'One client key, also a revoked one.',
    params: { id: clientKeyId },
    errors: ['not_found', 'backend_unavailable'],
  },
  clientkey_register: {
    summary: 'Registers a public key, for which backups and API keys are encrypted.',
    params: {
      public_key: 'X25519: 32 bytes in base64, or an age recipient (age1...).',
      label: 'One line for people.',
    },
    errors: ['already_exists', 'not_found', ...changesFile],
  },
  clientkey_revoke: {
    summary: 'Nothing is encrypted for it from now on.',
    params: { id: clientKeyId },
    errors: ['not_found', ...changesFile],
  },
  backup: {
    summary: 'The keystore of a file keyring, encrypted for client keys.',
    params: { to: 'The client keys that can open it, 1 to 20.' },
    errors: ['not_supported', 'not_found', 'backend_unavailable'],
  },
  restore: {
    summary:
      'Puts the keystore of a file keyring back, all of it or nothing. What was there is kept beside it.',
    params: { keystore_b64: 'The document of a backup, decrypted.' },
    errors: ['already_exists', 'not_supported', 'not_found', ...changesFile],
  },
};
