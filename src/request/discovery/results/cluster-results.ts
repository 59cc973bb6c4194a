import * as z from 'zod';
import { joinTokenRules } from '../../../api/join-tokens.ts';
import { backend, base64url, count, kid, protection, sha256, signature, time } from './shapes.ts';

const certificate = z.object({
  v: z.literal(1),
  active_kid: kid,
  active_pubkey_b64: base64url(32),
  issued_at: time,
  expires_at: time,
  cluster_domain: z.string(),
  sig_by_ca: signature,
});

const bundle = {
  cluster_domain: z.string(),
  ca_public_key_b64: base64url(32),
  ca_kid: kid,
  generated_at: time,
};
const bundleView = { ...bundle, ca_fingerprint: sha256, imported_at: time };

const claims = z.object({
  api_endpoint: z.string(),
  raft_endpoint: z.string(),
  leader_wg_pubkey: z.string(),
  overlay_cidr: z.string(),
  exp: time,
  iat: time,
  iss: z.string(),
});
const version = z.union([z.literal(1), z.literal(2)]);

const revocation = z.object({
  hash: sha256.describe('SHA-256 of the token.'),
  by: z.enum(['token', 'hash']),
  kid: kid.nullable(),
  revoked_at: time,
  expires_at: time,
});

/** The cluster: its CA, the clusters that it trusts, its join tokens. */
export const clusterResults = {
  ca_show: z.object({
    ca_kid: kid,
    ca_public_key_b64: base64url(32),
    ca_fingerprint: sha256,
    cluster_domain: z.string(),
    backend,
    protection,
    created_at: time,
    keyring: z.string().describe('Whose keys it certifies.'),
    certificate: certificate.nullable().describe('The newest of the active key.'),
  }),
  ca_verify: z.object({
    valid: z.boolean(),
    rule: z.enum(['form', 'signature', 'expired', 'domain', 'revoked']).exactOptional(),
    reason: z.string().exactOptional(),
    certificate: certificate.nullable(),
  }),
  ca_bundle: z.object({ bundle: z.object({ v: z.literal(1), ...bundle }) }),
  ca_issue: z.object({ certificate }),
  ca_forget: z.object({ ca_kid: kid, new_ca_kid: kid.nullable() }),
  trust_list: z.object({ bundles: z.array(z.object(bundleView)) }),
  trust_import: z.object({
    ...bundleView,
    change: z.enum(['added', 'updated', 'replaced', 'none']),
  }),
  trust_remove: z.object({ cluster_domain: z.string() }),
  join_token_mint: z.object({
    token: z.string(),
    kid,
    expires_at: time,
    v: version,
    chain_expires_at: time.exactOptional().describe('Of a federated one.'),
  }),
  join_token_verify: z.object({
    valid: z.boolean(),
    rule: z.enum(joinTokenRules).exactOptional().describe('The first rule that failed.'),
    reason: z.string().exactOptional(),
    v: version.exactOptional(),
    kid: kid.exactOptional(),
    claims: claims.exactOptional(),
    via: z.enum(['local', 'federated']).exactOptional(),
    cluster_domain: z.string().exactOptional(),
    ca_fingerprint: sha256.exactOptional(),
  }),
  join_token_revocations: z.object({
    revocations: z.array(revocation),
    older: count.exactOptional().describe('Before those that are listed.'),
  }),
  join_token_revoke: revocation,
};
