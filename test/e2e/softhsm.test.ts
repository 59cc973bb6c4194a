import { createPublicKey, verify } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { connect } from '../../src/client/connect.ts';
import { Daemon, run } from '../support/daemon.ts';
import { opensslVerifies } from '../support/openssl.ts';
import { makeToken, type SoftHsmToken } from '../support/softhsm.ts';

let token: SoftHsmToken;
let daemon: Daemon;
let config: string;

beforeEach(async () => {
  token = await makeToken('prod');
  daemon = new Daemon(token.environment);
  config = daemon.config(`[keyrings.default]\nbackend = "pkcs11"\nuri = "${token.uri}"\n`);
});
afterEach(async () => {
  await daemon.remove();
  await token.remove();
});

/** As OpenSC sees the token, which shares no code with us. */
function pkcs11Tool(...args: string[]): Promise<{ code: number | null; out: string; err: string }> {
  const pin = readFileSync(token.pinFile, 'utf8').trim();
  return run(
    'pkcs11-tool',
    ['--module', token.modulePath, '--token-label', 'prod', '--login', '--pin', 'env:PIN', ...args],
    '',
    { ...token.environment, PIN: pin },
  );
}

test('the keys are in the token: another program lists them, and reads no private value', async () => {
  await daemon.start('--config', config);
  const client = await connect({ socket: daemon.socket });
  const { new_active_kid } = await client.rotate(3600);
  const listed = await client.listKeys();
  expect(listed).toHaveLength(2);
  for (const key of listed) {
    expect(key.attributes).toMatchObject({
      CKA_SENSITIVE: true,
      CKA_EXTRACTABLE: false,
      CKA_NEVER_EXTRACTABLE: true,
      CKA_PRIVATE: true,
    });
  }
  const { signature } = await client.sign(Buffer.from('x'));
  const publicKey = (await client.publicKeyB64(new_active_kid)) ?? '';
  expect(opensslVerifies(Buffer.from('x'), signature, publicKey)).toBe(true);
  expect(await client.describeBackend()).toEqual({
    name: 'pkcs11',
    is_hardware_backed: false,
    protection: 'software',
    algorithm: 'ed25519',
  });
  await client.close();
  expect(await daemon.stop()).toBe(0);

  const { out } = await pkcs11Tool('--list-objects', '--type', 'privkey');
  expect(out.match(/^Private Key Object/gm)).toHaveLength(2);
  expect(out.match(/label: +signing-agent\/default/g)).toHaveLength(2);
  for (const { object_id } of listed) {
    expect(out).toContain(object_id);
    const read = await pkcs11Tool('--read-object', '--type', 'privkey', '--id', object_id ?? '');
    expect(read.out).toBe(''); // it says so on stderr, and ends with 0 all the same
  }
});

test('killed at any moment of its rotations it loses no acknowledged key and leaves none behind', async () => {
  const acknowledged: string[] = [];
  for (let round = 0; round < 5; round += 1) {
    await daemon.start('--config', config);
    const client = await connect({ socket: daemon.socket });
    const rotating = (async () => {
      for (;;) acknowledged.push((await client.rotate(86_400)).new_active_kid);
    })().catch(() => null); // the kill ends it
    const wanted = acknowledged.length + 1;
    while (acknowledged.length < wanted) await client.ping();
    for (let pings = 0; pings < 7 * round; pings += 1) await client.ping(); // another moment each round
    await daemon.stop('SIGKILL');
    await rotating;
    await client.close();
  }
  await daemon.start('--config', config);
  const client = await connect({ socket: daemon.socket });
  for (const kid of acknowledged) {
    expect((await client.sign(Buffer.from('x'), { kid })).kid).toBe(kid);
  }
  const listed = await client.listKeys();
  await client.close();
  const strangers = daemon.log.filter(({ msg }) => msg.includes('no record names'));
  expect(strangers).toEqual([]);
  await daemon.stop();
  const { out } = await pkcs11Tool('--list-objects', '--type', 'privkey');
  expect(out.match(/^Private Key Object/gm)).toHaveLength(listed.length);
});

test('an ES256 keyring signs what node:crypto verifies', async () => {
  config = daemon.config(
    `[keyrings.default]\nbackend = "pkcs11"\nalgorithm = "es256"\nuri = "${token.uri}"\n`,
  );
  await daemon.start('--config', config);
  const client = await connect({ socket: daemon.socket });
  expect(await client.describeBackend()).toMatchObject({ algorithm: 'es256' });
  for (const message of [Buffer.alloc(0), Buffer.from('x'), Buffer.alloc(100_000, 1)]) {
    const { kid, signature } = await client.sign(message);
    const point = Buffer.from((await client.publicKeyB64(kid)) ?? '', 'base64url');
    expect([point.length, point[0], signature.length]).toEqual([65, 4, 64]);
    const coordinate = (from: number): string =>
      point.subarray(from, from + 32).toString('base64url');
    const jwk = { kty: 'EC', crv: 'P-256', x: coordinate(1), y: coordinate(33) };
    const key = createPublicKey({ key: jwk, format: 'jwk' });
    expect(verify('sha256', message, { key, dsaEncoding: 'ieee-p1363' }, signature)).toBe(true);
    expect(await client.verify(message, signature)).toEqual({ valid: true, kid });
  }
  await client.rotate(60);
  expect(await client.listValidPubkeys()).toHaveLength(2);
  await client.close();
  await daemon.stop();
  // The sidecar belongs to that algorithm: another one is refused, not begun beside it.
  const other = daemon.config(`[keyrings.default]\nbackend = "pkcs11"\nuri = "${token.uri}"\n`);
  const refused = await daemon.refusedStart('--config', other);
  expect(refused.code).toBe(4);
  expect(refused.err).toMatch(/es256/);
});

test('a PIN file that is not there, and a token that is not there, are told by exit 4', async () => {
  const missing = daemon.config(
    `[keyrings.default]\nbackend = "pkcs11"\nuri = "${token.uri.replace(token.pinFile, '/nonexistent')}"\n`,
  );
  const unread = await daemon.refusedStart('--config', missing);
  expect(unread.code).toBe(4);
  expect(unread.err).toMatch(/PIN file \/nonexistent does not exist/);

  const none = daemon.config(
    `[keyrings.default]\nbackend = "pkcs11"\nuri = "${token.uri.replace('token=prod', 'token=other')}"\n`,
  );
  const absent = await daemon.refusedStart('--config', none);
  expect(absent.code).toBe(4);
  expect(absent.err).toMatch(/other/);
});
