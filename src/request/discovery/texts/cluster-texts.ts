import { ofCluster, type MethodTexts } from './method-text.ts';

export const clusterTexts: MethodTexts<
  | 'ca_show'
  | 'ca_verify'
  | 'ca_bundle'
  | 'ca_issue'
  | 'ca_forget'
  | 'trust_list'
  | 'trust_import'
  | 'trust_remove'
  | 'join_token_mint'
  | 'join_token_verify'
  | 'join_token_revocations'
  | 'join_token_revoke'
> = {
  ca_show: {
    summary: 'The CA of the cluster and the newest certificate of the active key.',
    errors: ofCluster,
  },
  ca_verify: {
    summary: 'Verifies a certificate. One that does not hold is an answer, not an error.',
    params: { certificate: 'Its JSON text, at most 64 KiB.' },
    errors: ofCluster,
  },
  ca_bundle: {
    summary: "What others need to trust this cluster's certificates.",
    errors: ofCluster,
  },
  ca_issue: {
    summary: 'A new certificate of the active key.',
    params: {
      validity_seconds: "Without it, what remains of the key's life and its grace.",
    },
    errors: ['conflict', ...ofCluster],
  },
  ca_forget: {
    summary: 'Forgets the CA, whose key is lost, and makes another. Nothing takes it back.',
    params: { ca_kid: 'The CA that is forgotten, 8 hex digits.' },
    errors: ['not_found', 'conflict', ...ofCluster],
  },
  trust_list: {
    summary: 'The clusters whose certificates are believed, by domain.',
    errors: ['backend_unavailable'],
  },
  trust_import: {
    summary: 'Trusts the cluster of a bundle.',
    params: {
      bundle: 'Its JSON text as it was written.',
      replace: 'Also where the domain is trusted with another CA.',
      fingerprint: "What the SHA-256 of the CA's key must be, in hex.",
    },
    errors: ['already_exists', 'conflict', 'backend_unavailable'],
  },
  trust_remove: {
    summary: 'The cluster of that domain is trusted no more.',
    params: { cluster_domain: 'The domain.' },
    errors: ['not_found', 'conflict', 'backend_unavailable'],
  },
  join_token_mint: {
    summary: 'A token to join the cluster with, signed by the active key.',
    params: {
      claims: 'What the joining one is told. exp and iat may be left out.',
      ttl_seconds: 'In place of claims.exp; without either, a day.',
      federated: 'With the certificate of the key, for other clusters.',
    },
    errors: ['not_found', 'unknown_kid', ...ofCluster],
  },
  join_token_verify: {
    summary: 'Verifies a token. One that does not hold is an answer, not an error.',
    params: { token: 'The token.' },
    errors: ofCluster,
  },
  join_token_revocations: {
    summary: 'The last thousand revocations, the last one first.',
    errors: ofCluster,
  },
  join_token_revoke: {
    summary: 'The token is refused until it expires.',
    params: {
      token: 'The token; this or hash.',
      hash: 'The SHA-256 of the token, 64 lowercase hex digits; holds for 24 hours.',
    },
    errors: ['conflict', ...ofCluster],
  },
};
