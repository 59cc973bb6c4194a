import type { MethodName } from '../../src/api/methods.ts';
import type { AgentClient } from '../../src/client/agent-client.ts';

/** The function of a method: a call of it, what goes out for that call, and what comes of an answer. */
interface ClientFunction {
  readonly call: (client: AgentClient) => Promise<unknown>;
  readonly params: object;
  readonly answer: object;
  /** What the function makes of the answer. */
  readonly made: unknown;
}

const signature = Buffer.alloc(64, 7);
const signature_b64 = signature.toString('base64url');
const bytes = Buffer.from([0xfb, 0xff]);
const bytes_b64 = '-_8';
const kid = '0a1b2c3d';
const principal = { kind: 'user', name: 'ci', uid: 1000 };
const clientKey = `ck_${'0'.repeat(32)}`;
const claims = {
  ...{ api_endpoint: 'https://leader:3669', raft_endpoint: '10.0.0.1:3670' },
  ...{ leader_wg_pubkey: 'wg', overlay_cidr: '10.42.0.0/16', iss: 'leader' },
};

/** A function whose result is the wire's. */
function plain(
  params: object,
  call: ClientFunction['call'],
  answer: object = { seen: true },
): ClientFunction {
  return { call, params, answer, made: answer };
}

/** A function that makes something else of the answer. */
function making(
  params: object,
  call: ClientFunction['call'],
  answer: object,
  made: unknown,
): ClientFunction {
  return { call, params, answer, made };
}

/** One of every method, with every option that it takes. */
export const clientFunctions: Readonly<Record<MethodName, ClientFunction>> = {
  describe_backend: plain({ keyring: 'ci' }, (client) => client.describeBackend({ keyring: 'ci' })),
  active_key_id: making({}, (client) => client.activeKeyId(), { kid }, kid),
  public_key_b64: making(
    { kid },
    (client) => client.publicKeyB64(kid),
    { public_key_b64: null },
    null,
  ),
  list_valid_pubkeys: making(
    { include_prepared: true },
    (client) => client.listValidPubkeys({ includePrepared: true }),
    { keys: [{ kid }] },
    [{ kid }],
  ),
  sign: making(
    { keyring: 'ci', kid, message_b64: bytes_b64 },
    (client) => client.sign(bytes, { keyring: 'ci', kid }),
    { kid, signature_b64 },
    { kid, signature },
  ),
  sign_batch: making(
    { kid, messages_b64: [bytes_b64, ''] },
    (client) => client.signBatch([bytes, Buffer.alloc(0)], { kid }),
    { kid, signatures_b64: [signature_b64, signature_b64] },
    { kid, signatures: [signature, signature] },
  ),
  verify: plain({ kid, message_b64: bytes_b64, signature_b64 }, (client) =>
    client.verify(bytes, signature, { kid }),
  ),
  list_keys: making({}, (client) => client.listKeys(), { keys: [], next_change: null }, []),
  attest: plain({ kid, nonce_b64: bytes_b64 }, (client) => client.attest(kid, bytes)),
  rotate: plain({ grace_seconds: 60 }, (client) => client.rotate(60)),
  prepare: plain({ activate_after_seconds: 5 }, (client) =>
    client.prepare({ activateAfterSeconds: 5 }),
  ),
  import_key: plain(
    { keyring: 'ci', key_file: 'PEM', password: '1234', activate_after_seconds: 5 },
    (client) => {
      const password = (): Buffer => Buffer.from('1234');
      return client.importKey('PEM', { keyring: 'ci', password, activateAfterSeconds: 5 });
    },
  ),
  revoke: plain({ kid, reason: 'lost' }, (client) => client.revoke(kid, { reason: 'lost' })),
  prune_expired_grace: making(
    { left_over: true },
    (client) => client.pruneExpiredGrace({ leftOver: true }),
    { pruned: 3 },
    3,
  ),
  unlock: making(
    { keyring: 'ci', pin: '1234', again: true },
    (client) => client.unlock(() => Buffer.from('1234'), { keyring: 'ci', again: true }),
    {},
    undefined,
  ),
  lock: making({ keyring: 'ci' }, (client) => client.lock({ keyring: 'ci' }), {}, undefined),

  sign_sshsig: plain(
    { keyring: 'ci', kid, namespace: 'file', hash_algorithm: 'sha512', digest_b64: bytes_b64 },
    (client) =>
      client.signSshsig(bytes, { keyring: 'ci', kid, namespace: 'file', hashAlgorithm: 'sha512' }),
  ),
  sign_minisign: plain(
    { keyring: 'ci', kid, digest_b64: bytes_b64, trusted_comment: 'one line' },
    (client) => client.signMinisign(bytes, { keyring: 'ci', kid, trustedComment: 'one line' }),
  ),
  sign_jws: plain(
    { keyring: 'ci', kid, payload_b64: bytes_b64, headers: { typ: 'JOSE' } },
    (client) => client.signJws(bytes, { keyring: 'ci', kid, headers: { typ: 'JOSE' } }),
  ),

  jwks: plain({ keyring: 'ci' }, (client) => client.jwks({ keyring: 'ci' }), { keys: [] }),
  jwt_sign: plain(
    { kid, claims: { role: 'deploy' }, ttl_seconds: 60, audience: ['a', 'b'], subject: 'me' },
    (client) =>
      client.jwtSign(
        { role: 'deploy' },
        { kid, ttlSeconds: 60, audience: ['a', 'b'], subject: 'me' },
      ),
  ),
  jwt_verify: plain({ token: 'a.b.c', audience: 'a', clock_skew_seconds: 5 }, (client) =>
    client.jwtVerify('a.b.c', { audience: 'a', clockSkewSeconds: 5 }),
  ),

  ping: making({}, (client) => client.ping(), {}, undefined),
  whoami: making({}, (client) => client.whoami(), { principal }, principal),
  status: plain({}, (client) => client.status()),
  'rpc.discover': plain({}, (client) => client.discover()),
  authenticate: making(
    { api_key: 'sa_ci_0' },
    (client) => client.authenticate('sa_ci_0'),
    { principal },
    principal,
  ),
  reload: plain({}, (client) => client.reload()),

  apikey_list: plain({}, (client) => client.apikeyList()),
  apikey_create: plain(
    {
      ...{ id: 'deploy', scope: 'app', seal_to: clientKey, note: 'for the farm' },
      ...{ allowed_keyrings: ['ci'], allowed_users: ['ci'], allowed_machines: ['this'] },
      allowed_purposes: ['minisign'],
      ...{ expires_in_seconds: 60, max_signatures_per_second: 9, max_connections: 2 },
    },
    (client) =>
      client.apikeyCreate('deploy', 'app', {
        ...{ sealTo: clientKey, note: 'for the farm' },
        ...{ allowedKeyrings: ['ci'], allowedUsers: ['ci'], allowedMachines: ['this'] },
        allowedPurposes: ['minisign'],
        ...{ expiresInSeconds: 60, maxSignaturesPerSecond: 9, maxConnections: 2 },
      }),
  ),
  apikey_update: plain(
    { id: 'deploy', scope: 'reader', expires_at: null, allowed_users: null },
    (client) =>
      client.apikeyUpdate('deploy', { scope: 'reader', expiresAt: null, allowedUsers: null }),
  ),
  apikey_revoke: plain({ id: 'deploy' }, (client) => client.apikeyRevoke('deploy')),

  clientkey_list: plain({ include_revoked: true, actor: { kind: 'user', id: '1000' } }, (client) =>
    client.clientkeyList({ includeRevoked: true, actor: { kind: 'user', id: '1000' } }),
  ),
  clientkey_show: plain({ id: clientKey }, (client) => client.clientkeyShow(clientKey)),
  clientkey_register: plain(
    { public_key: bytes_b64, label: 'mine', actor: { kind: 'api_key', id: 'deploy' } },
    (client) =>
      client.clientkeyRegister(bytes, { label: 'mine', actor: { kind: 'api_key', id: 'deploy' } }),
  ),
  clientkey_revoke: plain({ id: clientKey }, (client) => client.clientkeyRevoke(clientKey)),

  backup: plain({ keyring: 'ci', to: [clientKey] }, (client) =>
    client.backup([clientKey], { keyring: 'ci' }),
  ),
  restore: plain({ keyring: 'ci', keystore_b64: bytes_b64, replace: true }, (client) =>
    client.restore(bytes, { keyring: 'ci', replace: true }),
  ),

  ca_show: plain({}, (client) => client.caShow()),
  ca_verify: plain({ certificate: '{}' }, (client) => client.caVerify('{}')),
  ca_bundle: making({}, (client) => client.caBundle(), { bundle: { v: 1 } }, { v: 1 }),
  ca_issue: making(
    { validity_seconds: 60 },
    (client) => client.caIssue({ validitySeconds: 60 }),
    { certificate: { v: 1 } },
    { v: 1 },
  ),
  ca_forget: plain({ ca_kid: '58de8e3c' }, (client) => client.caForget('58de8e3c')),
  trust_list: making({}, (client) => client.trustList(), { bundles: [] }, []),
  trust_import: plain({ bundle: '{}', replace: true }, (client) =>
    client.trustImport('{}', { replace: true }),
  ),
  trust_remove: plain({ cluster_domain: 'other.example' }, (client) =>
    client.trustRemove('other.example'),
  ),
  join_token_mint: plain({ claims, ttl_seconds: 60, federated: true }, (client) =>
    client.joinTokenMint(claims, { ttlSeconds: 60, federated: true }),
  ),
  join_token_verify: plain({ token: 'e30' }, (client) => client.joinTokenVerify('e30')),
  join_token_revocations: plain({}, (client) => client.joinTokenRevocations()),
  join_token_revoke: plain({ hash: '0'.repeat(64) }, (client) =>
    client.joinTokenRevoke({ hash: '0'.repeat(64) }),
  ),
};
