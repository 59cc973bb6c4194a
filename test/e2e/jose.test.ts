import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  compactVerify,
  createLocalJWKSet,
  exportJWK,
  generateKeyPair,
  jwtVerify,
  SignJWT,
  type JSONWebKeySet,
} from 'jose';
import { afterAll, beforeAll, describe, expect, it, test } from 'vitest';
import { Daemon, type Ended } from '../support/daemon.ts';
import { makeToken, type SoftHsmToken } from '../support/softhsm.ts';

/** Tokens of a running agent as jose sees them, which shares no code with it, and tokens of jose as the agent does. */
let softhsm: SoftHsmToken;
let daemon: Daemon;
beforeAll(async () => {
  softhsm = await makeToken('prod');
  daemon = new Daemon(softhsm.environment);
  const inToken = `backend = "pkcs11"\nuri = "${softhsm.uri}"\n`;
  const config = daemon.config(
    `[keyrings.file]\n[keyrings.token]\n${inToken}` +
      `[keyrings.es256]\nalgorithm = "es256"\n${inToken}[keyrings.other]\n`,
  );
  await daemon.start('--config', config);
});
afterAll(async () => {
  await daemon.remove();
  await softhsm.remove();
});

async function agentctl(line: string, stdin: string | Buffer = ''): Promise<string> {
  const { code, out, err } = await daemon.agentctl(line.split(' '), stdin);
  if (code !== 0) throw new Error(`${line}: ${err}`);
  return out;
}

const jwksOf = async (keyring: string): Promise<JSONWebKeySet> =>
  JSON.parse(await agentctl(`--keyring ${keyring} jwks`)) as JSONWebKeySet;
const kidsOf = ({ keys }: JSONWebKeySet): unknown[] => keys.map(({ kid }) => kid);
const audience = 'https://api.example';

async function tokenOf(keyring: string, subject = 'build-farm'): Promise<string> {
  const line = `--keyring ${keyring} jwt sign --ttl 5m --audience ${audience} --subject ${subject}`;
  return (await agentctl(line)).trimEnd();
}

async function verifies(token: string, set: JSONWebKeySet): Promise<boolean> {
  try {
    const { payload } = await jwtVerify(token, createLocalJWKSet(set), { audience });
    return payload.sub === 'build-farm';
  } catch (failure) {
    if ((failure as { code?: unknown }).code === 'ERR_JWKS_NO_MATCHING_KEY') return false;
    throw failure;
  }
}

function check(token: string, ...words: string[]): Promise<Ended> {
  return daemon.agentctl(['jwt', 'verify', '--audience', audience, ...words], `${token}\n`);
}

describe.each([
  ['file', 'EdDSA'],
  ['token', 'EdDSA'],
  ['es256', 'ES256'],
])('keyring %s', (keyring, alg) => {
  it('is verified by jose across a rotation, with a prepared key and without a revoked one', async () => {
    const before = await tokenOf(keyring);
    const firstSet = await jwksOf(keyring);
    expect(firstSet.keys).toMatchObject([{ alg, use: 'sig' }]);
    expect(await verifies(before, firstSet)).toBe(true);

    // Published before it is used: who fetched the set by then needs no other one.
    await agentctl(`--keyring ${keyring} keys prepare`);
    const withPrepared = await jwksOf(keyring);
    expect(withPrepared.keys).toHaveLength(2);
    expect(await verifies(await tokenOf(keyring), withPrepared)).toBe(true);
    await agentctl(`--keyring ${keyring} keys rotate --grace 1h`);
    const after = await tokenOf(keyring);
    expect(await verifies(after, withPrepared)).toBe(true);
    expect(await verifies(after, firstSet)).toBe(false);

    const rotated = await jwksOf(keyring);
    expect(kidsOf(rotated)).toEqual(kidsOf(withPrepared).reverse());
    expect(await verifies(before, rotated)).toBe(true);
    expect(await verifies(after, rotated)).toBe(true);

    const old = String(kidsOf(rotated)[1]);
    await agentctl(`--keyring ${keyring} keys revoke ${old} --yes`);
    const revoked = await jwksOf(keyring);
    expect(kidsOf(revoked)).toEqual([kidsOf(rotated)[0]]);
    expect(await verifies(before, revoked)).toBe(false);
    expect(await verifies(after, revoked)).toBe(true);
    expect(await check(before, '--keyring', keyring)).toMatchObject({ code: 5 });
    expect(await check(after, '--keyring', keyring)).toMatchObject({ code: 0, err: '' });
  });

  it('verifies a token that jose reads the same way', async () => {
    const claims = { iss: 'agent', ключ: ['"', '\\', '\u2028', { ü: null }], n: 0.1 };
    const made = await agentctl(
      `--keyring ${keyring} --json jwt sign --ttl 90s --claims - --audience ${audience} --audience b`,
      JSON.stringify(claims),
    );
    const { token, kid, jti } = JSON.parse(made) as Record<'token' | 'kid' | 'jti', string>;
    const set = createLocalJWKSet(await jwksOf(keyring));
    const { payload, protectedHeader } = await jwtVerify(token, set, {
      ...{ audience: 'b', issuer: 'agent', typ: 'JWT', maxTokenAge: '1m' },
      requiredClaims: ['iat', 'nbf', 'exp', 'jti'],
    });
    expect(protectedHeader).toEqual({ alg, typ: 'JWT', kid });
    expect(payload).toMatchObject({ ...claims, jti, aud: [audience, 'b'] });
    const ours = await check(token, '--keyring', keyring, '--json');
    expect(JSON.parse(ours.out)).toMatchObject({ valid: true, kid, claims: payload });
  });

  it('makes a JWS of a file that jose verifies', async () => {
    const content = Buffer.from([0, 255, 10, 13, 0x2e]);
    const file = join(daemon.folder, 'content');
    for (const bytes of [content, Buffer.alloc(0), Buffer.alloc(100_000, 1)]) {
      writeFileSync(file, bytes);
      const jws = await agentctl(`--keyring ${keyring} sign --format jws ${file}`);
      const verified = await compactVerify(jws.trimEnd(), createLocalJWKSet(await jwksOf(keyring)));
      expect(Buffer.from(verified.payload)).toEqual(bytes);
      const kid = kidsOf(await jwksOf(keyring))[0];
      expect(verified.protectedHeader).toEqual({ alg, kid });
      const line = `--keyring ${keyring} verify ${file} --signature -`;
      expect(await agentctl(line, jws)).toBe(
        `valid: signed by ${String(kid)} (keyring ${keyring})\n`,
      );
    }
  });
});

describe('a token that jose made', () => {
  it('with the key of the keyring is verified', async () => {
    // A keystore's seed is an Ed25519 private key like any other.
    const path = join(daemon.stateDir, 'keyrings', 'other.json');
    const { keys } = JSON.parse(readFileSync(path, 'utf8')) as {
      keys: { id: string; seed_b64: string }[];
    };
    const [{ id, seed_b64 } = { id: '', seed_b64: '' }] = keys;
    const x = (await jwksOf('other')).keys[0]?.x ?? '';
    const key = { kty: 'OKP', crv: 'Ed25519', x, d: seed_b64 };
    const token = await new SignJWT({ role: 'deploy' })
      .setProtectedHeader({ alg: 'EdDSA', kid: id })
      .setExpirationTime('1m')
      .sign(key);
    const { code, out } = await daemon.agentctl(['--keyring', 'other', 'jwt', 'verify'], token);
    expect(code).toBe(0);
    expect(out).toMatch(/^claims +\{"role":"deploy","exp":\d+\}$/m);
  });

  it.each(['file', 'es256'])(
    'with another key is refused, whatever it says: %s',
    async (keyring) => {
      const alg = keyring === 'es256' ? 'ES256' : 'EdDSA';
      const { publicKey, privateKey } = await generateKeyPair(alg);
      const jwk = await exportJWK(publicKey);
      const [kid] = kidsOf(await jwksOf(keyring));
      for (const [header, rule] of [
        [{ alg, kid: String(kid), jwk }, 'signature'],
        [{ alg, kid: '00000000', jwk }, 'kid'],
        [{ alg, jwk }, 'kid'],
      ] as const) {
        const token = await new SignJWT({ aud: audience })
          .setProtectedHeader(header)
          .setExpirationTime('1m')
          .sign(privateKey);
        const { code, out } = await check(token, '--keyring', keyring, '--json');
        expect(code).toBe(5);
        expect(JSON.parse(out)).toMatchObject({ valid: false, rule });
      }
    },
  );
});

test('a session with tokens at a terminal', async () => {
  const path = join(daemon.folder, 'token');
  const set = join(daemon.folder, 'jwks.json');
  expect(await agentctl(`--keyring file jwt sign --ttl 1h --out ${path}`)).toBe('');
  expect(statSync(path).mode & 0o777).toBe(0o600);
  writeFileSync(set, await agentctl('--keyring file --keyring es256 jwks'));
  const shown = await agentctl(`--keyring file jwt verify ${path}`);
  expect(shown).toMatch(
    /^valid: signed by [0-9a-f]{8} \(keyring file\)\nexpires {2}in (1h|59m \d+s) \(.*\)\nclaims {3}\{"iat":\d/,
  );
  // Without an agent, against a set that was kept.
  const offline = (...words: string[]): Promise<Ended> =>
    daemon.agentctl(['--socket', '/none', 'jwt', 'verify', '--jwks', set, ...words]);
  expect(await offline(path)).toMatchObject({ code: 0, err: '' });
  const token = readFileSync(path, 'utf8').trimEnd();
  expect(await offline(token)).toMatchObject({ code: 0, err: '' });
  expect(await offline(`${token}x`)).toMatchObject({ code: 5, err: '' });
  expect((await offline(path, '--audience', 'api')).out).toMatch(/^not valid: .* \(rule aud, /);
  const es256 = await tokenOf('es256');
  expect(await offline(es256, '--audience', audience)).toMatchObject({ code: 0 });
  const other = await tokenOf('other');
  expect((await offline(other, '--audience', audience)).out).toMatch(/\(rule kid, /);
  const long = await daemon.agentctl(['--keyring', 'file', 'jwt', 'sign', '--ttl', '8d']);
  expect(long).toMatchObject({ code: 1, out: '' });
  expect(long.err).toMatch(/at most 604800 \(7d\)/);
});
