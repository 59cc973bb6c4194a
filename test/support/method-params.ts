import { generateKeyPairSync } from 'node:crypto';
import { trustBundleText } from '../../src/cluster/trust-bundle.ts';
import { kidOf } from '../../src/algorithms/kid.ts';

const message_b64 = 'aGVsbG8';
const id = `ck_${'0'.repeat(32)}`;

/**
 * Params in order for every method that needs some, but for the keyring. Of API keys, client keys and domains that
 * nobody has.
 */
export const methodParams: Readonly<Record<string, object>> = {
  authenticate: { api_key: `sa_nobody_${'0'.repeat(64)}` },
  public_key_b64: { kid: '00000000' },
  verify: { message_b64, signature_b64: Buffer.alloc(64).toString('base64url') },
  sign: { message_b64 },
  sign_sshsig: {
    namespace: 'file',
    hash_algorithm: 'sha512',
    digest_b64: Buffer.alloc(64, 5).toString('base64url'),
  },
  sign_minisign: {
    digest_b64: Buffer.alloc(64, 5).toString('base64url'),
    trusted_comment: 'one line',
  },
  sign_jws: { payload_b64: message_b64 },
  jwt_sign: { ttl_seconds: 60 },
  jwt_verify: { token: 'e30.e30.' },
  sign_batch: { messages_b64: [message_b64, message_b64] },
  rotate: { grace_seconds: 0 },
  import_key: { key_file: 'none' },
  attest: { kid: '00000000', nonce_b64: Buffer.alloc(16).toString('base64url') },
  unlock: { pin: '1234' },
  clientkey_register: { public_key: Buffer.alloc(32, 9).toString('base64url') },
  clientkey_show: { id },
  clientkey_revoke: { id },
  apikey_create: { id: 'made', scope: 'admin' },
  apikey_update: { id: 'nobody', scope: 'admin' },
  apikey_revoke: { id: 'nobody' },
  backup: { to: [id] },
  restore: { keystore_b64: message_b64, replace: true },
  ca_issue: { validity_seconds: 3600 },
  ca_forget: { ca_kid: '58de8e3c' },
  ca_verify: { certificate: '{}' },
  trust_import: { bundle: trustBundle() },
  trust_remove: { cluster_domain: 'other.example' },
  join_token_mint: {
    claims: {
      api_endpoint: 'https://leader:3669',
      raft_endpoint: '10.0.0.1:3670',
      leader_wg_pubkey: 'wg',
      overlay_cidr: '10.42.0.0/16',
      iss: 'leader',
    },
  },
  join_token_verify: { token: 'eyJ2IjoxfQ' },
  join_token_revoke: { hash: '0'.repeat(64) },
};

function trustBundle(): string {
  const { x = '' } = generateKeyPairSync('ed25519').publicKey.export({ format: 'jwk' });
  return trustBundleText({
    v: 1,
    cluster_domain: 'other.example',
    ca_public_key_b64: x,
    ca_kid: kidOf(Buffer.from(x, 'base64url')),
    generated_at: '2026-05-14T17:55:00Z',
  });
}
