import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { OpenRpcDocument } from '../../src/api/discovery.ts';
import { methodCatalogue, type MethodName } from '../../src/api/methods.ts';
import type { ErrorKind } from '../../src/base/errors.ts';
import { results } from '../../src/request/discovery/results/results.ts';
import { ForeignCluster } from '../support/foreign-cluster.ts';
import { InProcessAgent } from '../support/in-process-agent.ts';
import { LineClient, type Answer } from '../support/line-client.ts';
import { methodParams } from '../support/method-params.ts';
import { methodsOf, validator } from '../support/openrpc.ts';
import { makeToken, type SoftHsmToken } from '../support/softhsm.ts';
import { startSwtpm, type Swtpm } from '../support/swtpm.ts';

/** The answers of an agent with a file keyring, a token that is unlocked by hand, a TPM and a cluster. */

const document = JSON.parse(
  readFileSync(new URL('../../docs/openrpc.json', import.meta.url), 'utf8'),
) as OpenRpcDocument;
const byName = new Map(methodsOf(document).map((method) => [method.name, method]));

let token: SoftHsmToken;
let tpm: Swtpm;
let keyOfOpenssl: string;
let agent: InProcessAgent;
let client: LineClient;
/** Methods of which a result was seen. */
const answered = new Set<string>();

beforeAll(async () => {
  [token, tpm] = await Promise.all([makeToken(), startSwtpm()]);
  token.use();
  await tpm.openssl(
    ...['genpkey', '-provider', 'tpm2', '-provider', 'default', '-algorithm', 'EC'],
    ...['-pkeyopt', 'group:P-256', '-out', 'theirs.pem'],
  );
  keyOfOpenssl = readFileSync(join(tpm.dir, 'theirs.pem'), 'latin1');
  agent = await new InProcessAgent(`
[cluster]
domain = "prod.example"
[keyrings.default]
[keyrings.token]
backend = "pkcs11"
uri = "${token.uri.replace(/&pin-source=[^&"]*/, '')}"
[keyrings.device]
backend = "tpm"
device = "${tpm.device}"
algorithm = "es256"
`).start();
  client = await LineClient.open(agent.socket);
});
afterAll(async () => {
  client.close();
  await agent.remove();
  await Promise.all([tpm.remove(), token.remove()]);
});

/** An answer that is as the document says: of a result every member, of an error its kind and data. */
async function answerTo(method: MethodName, params: object = {}, by = client): Promise<Answer> {
  const answer = await by.call(method, params);
  const of = byName.get(method);
  if (of === undefined) throw new Error(`${method} is not in the document`);
  if (answer.error === undefined) {
    const isResult = validator(of.result.schema);
    isResult(answer.result);
    expect(isResult.errors, method).toBeNull();
    // Members that the schema does not have are left out by it.
    expect(results[method].parse(answer.result), method).toEqual(answer.result);
    answered.add(method);
  } else {
    const { code, data } = answer.error;
    const error = document.components.errors[data.kind] as { code: number; data: object };
    expect(code, method).toBe(error.code);
    expect(of.errors.map(({ $ref }) => $ref)).toContain(`#/components/errors/${data.kind}`);
    const isData = validator(error.data);
    isData(data);
    expect(isData.errors, method).toBeNull();
  }
  return answer;
}
async function resultOf(
  method: MethodName,
  params: object = {},
  by = client,
): Promise<Readonly<Record<string, unknown>>> {
  const { result, error } = await answerTo(method, params, by);
  if (result === undefined) throw new Error(`${method}: ${error?.message ?? ''}`);
  return result;
}
async function kindOf(method: MethodName, params: object = {}, by = client): Promise<string> {
  return (await answerTo(method, params, by)).error?.data.kind ?? 'done';
}
const text = (of: Readonly<Record<string, unknown>>, member: string): string => String(of[member]);
/** Another connection, which gets what this API key has. */
async function authenticated(secret: string): Promise<LineClient> {
  const other = await LineClient.open(agent.socket);
  await resultOf('authenticate', { api_key: secret }, other);
  return other;
}

const message_b64 = 'aGVsbG8';
const recipient = Buffer.alloc(32, 9).toString('base64url');

describe('what is answered is what docs/openrpc.json says', () => {
  test('of the agent and the caller', async () => {
    await resultOf('ping');
    await resultOf('whoami');
    await resultOf('status');
    await resultOf('reload');
    expect(await resultOf('rpc.discover')).toEqual(document);
  });

  test.each(['default', 'device'])('of keyring %s', async (keyring) => {
    const { kid } = await resultOf('active_key_id', { keyring });
    await resultOf('describe_backend', { keyring });
    await resultOf('public_key_b64', { keyring, kid });
    await resultOf('public_key_b64', { keyring, kid: '00000000' });
    const signed = await resultOf('sign', { keyring, message_b64 });
    await resultOf('sign_batch', { keyring, messages_b64: [message_b64, message_b64] });
    const { signature_b64 } = signed;
    await resultOf('verify', { keyring, message_b64, signature_b64 });
    await resultOf('verify', { keyring, message_b64: '', signature_b64 });
    await resultOf('prepare', { keyring, activate_after_seconds: 60 });
    expect(await kindOf('prepare', { keyring })).toBe('already_exists');
    await resultOf('list_keys', { keyring });
    await resultOf('rotate', { keyring, grace_seconds: 3600 });
    await resultOf('prepare', { keyring });
    await resultOf('list_valid_pubkeys', { keyring, include_prepared: true });
    await resultOf('jwks', { keyring });
    await resultOf('rotate', { keyring, grace_seconds: 3600 });
    await resultOf('revoke', { keyring, kid, reason: 'lost' });
    const active = await resultOf('active_key_id', { keyring });
    await resultOf('revoke', { keyring, ...active });
    expect(await kindOf('revoke', { keyring, ...active })).toBe('unknown_kid');
    await resultOf('list_keys', { keyring });
    await resultOf('prune_expired_grace', { keyring });
    for (const method of ['sign_sshsig', 'sign_jws'] as const) {
      await resultOf(method, { keyring, ...methodParams[method] });
    }
    const { token: jwt } = await resultOf('jwt_sign', { keyring, ttl_seconds: 60 });
    await resultOf('jwt_verify', { keyring, token: jwt });
    await resultOf('jwt_verify', { keyring, token: 'a.b.c' });
    await resultOf('jwt_verify', { keyring, token: jwt, audience: 'somebody' });
  });

  test('of a minisign signature, which only Ed25519 keys make', async () => {
    const { sign_minisign: params = {} } = methodParams;
    await resultOf('sign_minisign', params);
    expect(await kindOf('sign_minisign', { keyring: 'device', ...params })).toBe('not_supported');
  });

  test('of a token that waits for its PIN', async () => {
    const keyring = 'token';
    expect(await kindOf('sign', { keyring, message_b64 })).toBe('locked');
    await resultOf('status');
    const pin = readFileSync(token.pinFile, 'utf8').trimEnd();
    await resultOf('unlock', { keyring, pin });
    await resultOf('list_keys', { keyring });
    await resultOf('status');
    await resultOf('lock', { keyring });
    expect(await kindOf('lock', {})).toBe('not_supported');
  });

  test('of a device that attests, and takes keys over', async () => {
    const keyring = 'device';
    const { kid } = await resultOf('active_key_id', { keyring });
    const nonce_b64 = Buffer.alloc(16).toString('base64url');
    await resultOf('attest', { keyring, kid, nonce_b64 });
    expect(await kindOf('attest', { kid: '00000000', nonce_b64 })).toBe('unknown_kid');
    expect(await kindOf('import_key', { keyring, key_file: 'none' })).toBe('invalid_params');
    await resultOf('import_key', { keyring, key_file: keyOfOpenssl });
    expect(await kindOf('import_key', { keyring, key_file: keyOfOpenssl })).toBe('already_exists');
  });

  test('of API keys and client keys', async () => {
    const { id } = await resultOf('clientkey_register', { public_key: recipient, label: 'mine' });
    expect(await kindOf('clientkey_register', { public_key: recipient })).toBe('already_exists');
    await resultOf('clientkey_show', { id });
    const { secret } = await resultOf('apikey_create', { id: 'one', scope: 'admin' });
    await resultOf('apikey_create', {
      ...{ id: 'two', scope: 'app', seal_to: id, allowed_keyrings: ['default'] },
      ...{ expires_in_seconds: 60, allowed_users: ['nobody'], note: 'for the farm' },
    });
    const other = await authenticated(String(secret));
    await resultOf('whoami', {}, other);
    expect(await kindOf('authenticate', { api_key: 'wrong' }, other)).toBe('unauthenticated');
    other.close();
    await resultOf('apikey_update', { id: 'two', expires_at: null });
    await resultOf('apikey_list');
    await resultOf('apikey_revoke', { id: 'two' });
    expect(await kindOf('apikey_revoke', { id: 'two' })).toBe('not_found');
    await resultOf('backup', { to: [id] });
    await resultOf('clientkey_revoke', { id });
    expect(await kindOf('clientkey_revoke', { id })).toBe('not_found');
    await resultOf('clientkey_list', { include_revoked: true });
  });

  test('of an API key that is for some keyrings alone', async () => {
    const { secret } = await resultOf('apikey_create', {
      ...{ id: 'some', scope: 'app', allowed_keyrings: ['default'], allowed_purposes: ['jwt'] },
    });
    const other = await authenticated(String(secret));
    await resultOf('status', {}, other);
    expect(await kindOf('sign', { message_b64 }, other)).toBe('forbidden');
    expect(await kindOf('reload', {}, other)).toBe('forbidden');
    other.close();
  });

  test('of a keystore that is put back', async () => {
    const keystore_b64 = readFileSync(agent.stateFile()).toString('base64url');
    expect(await kindOf('restore', { keystore_b64 })).toBe('already_exists');
    await resultOf('restore', { keystore_b64, replace: true });
    expect(await kindOf('restore', { keyring: 'token', keystore_b64 })).toBe('not_supported');
    expect(await kindOf('restore', { keyring: 'absent', keystore_b64 })).toBe('not_found');
  });

  test('of the cluster', async () => {
    const shown = await resultOf('ca_show');
    const { certificate } = await resultOf('ca_issue', { validity_seconds: 3600 });
    await resultOf('ca_show');
    await resultOf('ca_verify', { certificate: JSON.stringify(certificate) });
    await resultOf('ca_verify', { certificate: '{}' });
    await resultOf('ca_bundle');
    const theirs = { bundle: new ForeignCluster().bundle() };
    await resultOf('trust_import', theirs);
    const others = { bundle: new ForeignCluster().bundle() };
    expect(await kindOf('trust_import', others)).toBe('already_exists');
    await resultOf('trust_list');
    await resultOf('trust_remove', { cluster_domain: 'other.example' });
    expect(await kindOf('trust_remove', { cluster_domain: 'other.example' })).toBe('not_found');
    const { join_token_mint: claims = {} } = methodParams;
    const minted = await resultOf('join_token_mint', claims);
    await resultOf('join_token_mint', { ...claims, federated: true });
    await resultOf('join_token_verify', { token: minted['token'] });
    await resultOf('join_token_verify', { token: 'eyJ2IjoxfQ' });
    await resultOf('join_token_revoke', { token: minted['token'] });
    await resultOf('join_token_revoke', { hash: '0'.repeat(64) });
    await resultOf('join_token_revocations');
    await resultOf('join_token_verify', { token: minted['token'] });
    await resultOf('status');
    const ca_kid = text(shown, 'ca_kid');
    expect(await kindOf('ca_forget', { ca_kid })).toBe('conflict');
    rmSync(join(agent.folder, 'state', 'cluster-ca.key'));
    await agent.stop();
    await agent.start();
    client = await LineClient.open(agent.socket);
    expect(await kindOf('ca_show')).toBe('backend_unavailable');
    await resultOf('ca_forget', { ca_kid });
    expect(await kindOf('ca_forget', { ca_kid })).toBe('not_found');
  });

  test('of every method', () => {
    expect([...answered].sort()).toEqual(Object.keys(methodCatalogue).sort());
  });
});

test('what is no request is answered as the document says', async () => {
  const lines: readonly (readonly [string, ErrorKind])[] = [
    ['{', 'parse_error'],
    ['[]', 'invalid_request'],
    ['{"jsonrpc":"2.0","id":1,"method":"none"}', 'method_not_found'],
  ];
  for (const [line, kind] of lines) {
    const other = await LineClient.open(agent.socket);
    other.send(line);
    await other.until(({ length }) => length > 0);
    const error = document.components.errors[kind] as { code: number; data: object };
    expect(other.answers[0]?.error).toMatchObject({ code: error.code, data: { kind } });
    expect(validator(error.data)(other.answers[0]?.error?.data)).toBe(true);
    other.close();
  }
});
