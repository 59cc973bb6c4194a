import { ofKeyring, ofSigning, type MethodTexts } from './method-text.ts';

const ofCaToo = 'Name of the keyring; cluster-ca is the CA of the cluster.';
const ofOneKey = 'The key, 8 hex digits.';

export const keyringTexts: MethodTexts<
  | 'describe_backend'
  | 'active_key_id'
  | 'public_key_b64'
  | 'list_valid_pubkeys'
  | 'sign'
  | 'sign_batch'
  | 'verify'
  | 'list_keys'
  | 'attest'
  | 'rotate'
  | 'prepare'
  | 'import_key'
  | 'revoke'
  | 'prune_expired_grace'
  | 'unlock'
  | 'lock'
> = {
  describe_backend: {
    summary: 'What the keyring is, by what its token says of itself.',
    errors: ofKeyring,
  },
  active_key_id: { summary: 'The key that signs where no kid is given.', errors: ofKeyring },
  public_key_b64: {
    summary: 'The public key of a kid.',
    params: { kid: ofOneKey },
    errors: ofKeyring,
  },
  list_valid_pubkeys: {
    summary: 'The keys that are valid now: active, then grace by descending valid_until.',
    params: { include_prepared: 'Then the prepared one too.' },
    errors: ofKeyring,
  },
  sign: {
    summary:
      'Signs bytes as they are. A message that is something of another purpose (a token, a certificate) needs that purpose too.',
    errors: ofSigning,
  },
  sign_batch: {
    summary: 'Signs messages, all by one key, or answers none of them.',
    params: { messages_b64: 'The messages, 1 to 256.' },
    errors: ofSigning,
  },
  verify: {
    summary:
      'Verifies strictly, by the keys that are valid now. A signature that does not verify is an answer, not an error.',
    params: { kid: 'By this key alone.', signature_b64: 'The signature, 64 raw bytes.' },
    errors: ofKeyring,
  },
  list_keys: { summary: 'Every key, whatever its state.', errors: ofKeyring },
  attest: {
    summary: 'What the device says of a key, signed by the device.',
    params: { kid: ofOneKey, nonce_b64: 'What shows that it is fresh, 8 to 32 bytes.' },
    errors: ['unknown_kid', 'not_supported', ...ofKeyring],
  },
  rotate: {
    summary: 'The prepared key, or a new one, becomes active. The previous one goes into grace.',
    params: { grace_seconds: 'How long the previous key stays valid.' },
    errors: ['conflict', 'not_supported', ...ofKeyring],
  },
  prepare: {
    summary: 'Makes a key that is published and not yet used.',
    errors: ['already_exists', 'conflict', 'not_supported', ...ofKeyring],
  },
  import_key: {
    summary: 'Takes over a key that another program made in the same device, as a prepared one.',
    params: { key_file: 'What is in its key file.', password: 'Of the key file.' },
    errors: ['already_exists', 'not_supported', 'conflict', ...ofKeyring],
  },
  revoke: {
    summary: 'The key is valid nowhere from now on. An active one is replaced first.',
    params: { kid: ofOneKey, reason: 'For the record.' },
    errors: ['unknown_kid', 'conflict', 'not_supported', ...ofKeyring],
  },
  prune_expired_grace: {
    summary: 'Removes the keys whose grace has ended.',
    params: { left_over: 'Also keys that nothing uses and nobody was told of.' },
    errors: ['conflict', ...ofKeyring],
  },
  unlock: {
    summary: 'Opens a keyring, or the cluster CA, that waits for its PIN.',
    params: {
      keyring: ofCaToo,
      pin: 'The PIN.',
      again: 'Also a PIN that the token has refused before.',
    },
    errors: ['not_supported', ...ofKeyring],
  },
  lock: {
    summary: 'Closes a keyring, or the cluster CA, and forgets its PIN.',
    params: { keyring: ofCaToo },
    errors: ['not_supported', 'not_found', 'backend_unavailable'],
  },
};
