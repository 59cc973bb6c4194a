import { execFile } from 'node:child_process';
import { createHash, createPublicKey, randomBytes, verify } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { algorithms, type Algorithm } from '../../src/algorithms/algorithm.ts';
import { CKR } from '../../src/vault/pkcs11/token/cryptoki.ts';
import {
  isLoginLost,
  isStale,
  returnValueOf,
  translate,
} from '../../src/vault/pkcs11/token/errors.ts';
import { protectionOf } from '../../src/vault/pkcs11/token/key-attributes.ts';
import { Pkcs11Modules } from '../../src/vault/pkcs11/token/module.ts';
import { findKeyObjects, publicKeyFromEcPoint } from '../../src/vault/pkcs11/token/objects.ts';
import { openPkcs11Vault } from '../../src/vault/pkcs11/token/pkcs11-vault.ts';
import type { TokenVault } from '../../src/vault/pkcs11/token/token-vault.ts';
import { parsePkcs11Uri } from '../../src/vault/pkcs11/uri.ts';
import { makeToken, type SoftHsmToken } from '../support/softhsm.ts';
import { refusalOf } from '../support/refusal.ts';
import { expectSigns } from '../support/expect-signs.ts';

const run = promisify(execFile);
const modules = new Pkcs11Modules();
const world = { now: Date.now, randomBytes, log: pino({ level: 'silent' }) };
const { ed25519, es256 } = algorithms;

const CKA_VALUE = 0x11;

let token: SoftHsmToken;
let pin: string;

beforeAll(async () => {
  token = await makeToken();
  token.use();
  pin = (await readFile(token.pinFile, 'utf8')).trimEnd();
});
afterAll(() => token.remove());

interface Options {
  readonly keyring: string;
  readonly uri?: string;
  readonly algorithm?: Algorithm;
  readonly sessions?: number;
  readonly pin?: Buffer;
}

async function open(options: Options): Promise<TokenVault> {
  const vault = await openPkcs11Vault({
    uri: parsePkcs11Uri(options.uri ?? token.uri),
    keyring: options.keyring,
    algorithm: options.algorithm ?? ed25519,
    sessions: options.sessions ?? 2,
    pin: options.pin ?? Buffer.from(pin),
    modules,
    world,
  });
  onTestFinished(() => vault.close());
  return vault;
}

/** OpenSC's program: none of our code, another process. It takes the PIN from its environment. */
async function pkcs11Tool(...args: string[]): Promise<string> {
  const { stdout } = await run(
    'pkcs11-tool',
    [
      '--module',
      token.modulePath,
      '--token-label',
      'test',
      '--login',
      '--pin',
      'env:TEST_PIN',
      ...args,
    ],
    { env: { ...process.env, TEST_PIN: pin } },
  );
  return stdout;
}

describe('a key in SoftHSM', () => {
  it('is made under the reserved id, signs, and verifies with node:crypto alone', async () => {
    const vault = await open({ keyring: 'make' });
    const objectId = vault.reserve();
    expect(objectId).toMatch(/^[0-9a-f]{32}$/);
    const key = await vault.generate(objectId);
    expect(key.objectId).toBe(objectId);
    const message = Buffer.from('hello');
    const x = Buffer.from(key.publicKey).toString('base64url');
    const publicKey = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' });
    expect(verify(null, message, publicKey, await vault.sign(key, message))).toBe(true);
  });

  it('has the attributes that keep it in the token', async () => {
    const vault = await open({ keyring: 'attributes' });
    const key = await vault.generate(null);
    expect(await vault.evidence(key)).toEqual({
      CKA_LABEL: 'signing-agent/attributes',
      CKA_ID: key.objectId,
      CKA_KEY_TYPE: 0x40,
      CKA_TOKEN: true,
      CKA_PRIVATE: true,
      CKA_SIGN: true,
      CKA_SENSITIVE: true,
      CKA_ALWAYS_SENSITIVE: true,
      CKA_EXTRACTABLE: false,
      CKA_NEVER_EXTRACTABLE: true,
      CKA_LOCAL: true,
      CKA_KEY_GEN_MECHANISM: 0x1055,
    });
  });

  it('is software, because SoftHSM says so', async () => {
    const vault = await open({ keyring: 'protection' });
    await vault.generate(null);
    expect(vault.protection).toBe('software');
    expect(vault.name).toBe('pkcs11');
  });

  it('signs ES256 over the digest of the message, the empty one too', async () => {
    const vault = await open({ keyring: 'es256', algorithm: es256 });
    const key = await vault.generate(null);
    expect(key.publicKey).toHaveLength(65);
    await expectSigns(vault, key);
    await expectSigns(vault, key, Buffer.alloc(0));
    await expectSigns(vault, key, randomBytes(1_000_000));
  });

  it('signs messages of any length but none', async () => {
    const vault = await open({ keyring: 'lengths', sessions: 1 });
    const key = await vault.generate(null);
    for (const length of [1, 63, 64, 65, 4096, 1_000_000]) {
      await expectSigns(vault, key, randomBytes(length));
    }
    await expectSigns(vault, key, new Uint8Array([1, 2, 3]));
  });

  it('refuses the empty message, and goes on signing', async () => {
    const vault = await open({ keyring: 'empty', sessions: 1 });
    const key = await vault.generate(null);
    const nothing = [new Uint8Array(0), Buffer.alloc(0), Buffer.from('abc').subarray(1, 1)];
    for (const empty of nothing) {
      const error = await refusalOf(vault.sign(key, empty));
      expect(error.kind).toBe('not_supported');
      expect(error.message).toBe('this token does not sign an empty message (CKR_ARGUMENTS_BAD)');
      await expectSigns(vault, key);
    }
  });

  it('signs 200 messages at once, each with its own signature', async () => {
    const vault = await open({ keyring: 'parallel', sessions: 4 });
    const key = await vault.generate(null);
    const messages = Array.from({ length: 200 }, (_, index) => Buffer.from(`message ${index}`));
    const signatures = await Promise.all(messages.map((message) => vault.sign(key, message)));
    messages.forEach((message, index) => {
      expect(ed25519.verify(message, signatures[index] ?? Buffer.alloc(0), key.publicKey)).toBe(
        true,
      );
    });
    expect(new Set(signatures.map((each) => Buffer.from(each).toString('hex'))).size).toBe(200);
  });

  it('may be made while others sign', async () => {
    const vault = await open({ keyring: 'mixed', sessions: 2 });
    const key = await vault.generate(null);
    const made = Promise.all([vault.generate(null), vault.generate(null), vault.generate(null)]);
    await Promise.all(Array.from({ length: 50 }, () => expectSigns(vault, key)));
    for (const each of await made) await expectSigns(vault, each);
    expect(await vault.list()).toHaveLength(4);
  });

  it('is not destroyed where the token has another public key under its id', async () => {
    const vault = await open({ keyring: 'not-the-same' });
    const key = await vault.generate(null);
    const other = await vault.generate(null);
    expect(await refusalOf(vault.destroy(key.objectId, other.publicKey))).toMatchObject({
      kind: 'conflict',
    });
    await expectSigns(vault, key);
    await vault.destroy(key.objectId, key.publicKey);
    expect((await vault.list()).map(({ objectId }) => objectId)).toEqual([other.objectId]);
  });

  it('is found by its id and proved, where another process made it', async () => {
    const vault = await open({ keyring: 'adopted' });
    const key = await vault.generate(null);
    const next = await open({ keyring: 'adopted' });
    expect(await next.adopt(key.objectId)).toEqual(key);
    await expectSigns(next, key);
    expect(await next.adopt('ff'.repeat(16))).toBeNull();
  });

  it('is destroyed for good, and once more without complaint', async () => {
    const vault = await open({ keyring: 'destroy' });
    const key = await vault.generate(null);
    await expectSigns(vault, key);
    await vault.destroy(key.objectId);
    await vault.destroy(key.objectId);
    expect(await vault.list()).toEqual([]);
    expect((await refusalOf(vault.sign(key, randomBytes(8)))).kind).toBe('backend_unavailable');
    expect((await refusalOf(vault.evidence(key))).kind).toBe('backend_unavailable');
  });

  it('is there after closing and opening in the same process', async () => {
    const first = await open({ keyring: 'reopen' });
    const key = await first.generate(null);
    await first.close();
    for (let times = 0; times < 3; times += 1) {
      const vault = await open({ keyring: 'reopen' });
      expect(await vault.list()).toEqual([{ ...key, hasPrivateKey: true }]);
      await expectSigns(vault, key);
      await vault.close();
    }
  });

  it('is shown by pkcs11-tool, which cannot read its value', async () => {
    const vault = await open({ keyring: 'opensc' });
    const { objectId } = await vault.generate(null);
    const listed = await pkcs11Tool('--list-objects');
    const ours = listed.split(/^(?=\w+ Key Object)/m).filter((each) => each.includes(objectId));
    expect(ours.map((each) => each.split(';')[0]).sort()).toEqual([
      'Private Key Object',
      'Public Key Object',
    ]);
    const access = ours.find((each) => each.startsWith('Private'));
    expect(access).toContain('sensitive, always sensitive, never extractable, local');
    expect(await pkcs11Tool('--read-object', '--type', 'privkey', '--id', objectId)).toBe('');
  });

  it('keeps its value from whoever is logged in', async () => {
    const vault = await open({ keyring: 'value' });
    const { objectId } = await vault.generate(null);
    const module = modules.use(token.modulePath);
    onTestFinished(() => {
      module.release();
    });
    const slot = module.slots().find((each) => each.getToken().label === 'test');
    if (slot === undefined) throw new Error('the token is gone');
    const session = slot.open();
    const name = { objectId, label: 'signing-agent/value' };
    const [privateKey] = findKeyObjects(module.lib, session.handle, name).privateKeys;
    if (privateKey === undefined) throw new Error('the key is gone');
    let refusal: unknown;
    try {
      module.lib.C_GetAttributeValue(session.handle, privateKey, [{ type: CKA_VALUE }]);
    } catch (thrown) {
      refusal = thrown;
    }
    expect(returnValueOf(refusal)).toBe(CKR.ATTRIBUTE_SENSITIVE);
    session.close();
  });
});

describe('making a key', () => {
  it('refuses an id that is taken, and leaves that key alone', async () => {
    const vault = await open({ keyring: 'taken' });
    const key = await vault.generate(null);
    expect((await refusalOf(vault.generate(key.objectId))).kind).toBe('already_exists');
    await expectSigns(vault, key);
  });

  it('leaves nothing behind where the key proves bad', async () => {
    for (const fault of [{ verify: () => false }, { isPublicKey: () => false }]) {
      const vault = await open({ keyring: 'unproved', algorithm: { ...ed25519, ...fault } });
      const error = await refusalOf(vault.generate(null));
      expect(['backend_unavailable', 'not_supported']).toContain(error.kind);
      expect(await vault.list()).toEqual([]);
    }
  });

  const curves = (...ecParams: Buffer[]): Algorithm => ({
    ...ed25519,
    pkcs11: { ...ed25519.pkcs11, ecParams },
  });
  const unknownCurve = Buffer.from('06032b6599', 'hex');

  it('goes on to the next name of the curve', async () => {
    const [oid, printable] = ed25519.pkcs11.ecParams;
    if (oid === undefined || printable === undefined) throw new Error('two names are expected');
    const vault = await open({ keyring: 'curve', algorithm: curves(unknownCurve, printable) });
    await expectSigns(vault, await vault.generate(null));
  });

  it('fails with the reason, and nothing behind, where the token knows no name', async () => {
    const vault = await open({ keyring: 'no-curve', algorithm: curves(unknownCurve) });
    const error = await refusalOf(vault.generate(null));
    expect(error.message).toMatch(/^the token could not make a key: CKR_/);
    expect(error.cause).toBeInstanceOf(Error);
    expect(await vault.list()).toEqual([]);
  });
});

describe('other keys of the token', () => {
  it('are neither listed, nor used, nor destroyed', async () => {
    await pkcs11Tool(
      '--keypairgen',
      '--key-type',
      'EC:edwards25519',
      '--label',
      'foreign',
      '--id',
      'f0',
    );
    const vault = await open({ keyring: 'foreign-test' });
    expect(await vault.list()).toEqual([]);
    const key = await vault.generate(null);
    expect(await vault.list()).toEqual([{ ...key, hasPrivateKey: true }]);
    const error = await refusalOf(vault.sign({ ...key, objectId: 'f0' }, randomBytes(8)));
    expect(error.message).toBe(
      'the token has no private key f0 labelled "signing-agent/foreign-test"',
    );
    await vault.destroy('f0');
    const listed = await pkcs11Tool('--list-objects');
    expect(listed.match(/label: {6}foreign$/gm)).toHaveLength(2);
  });

  it('of another keyring are its own', async () => {
    const one = await open({ keyring: 'one' });
    const other = await open({ keyring: 'other' });
    const key = await one.generate(null);
    expect(await other.list()).toEqual([]);
    expect((await refusalOf(other.sign(key, randomBytes(8)))).kind).toBe('backend_unavailable');
    await one.close();
    await expectSigns(other, await other.generate(null));
  });

  it('with our label are refused where they could leave the token', async () => {
    await pkcs11Tool(
      ...['--keypairgen', '--key-type', 'EC:edwards25519', '--extractable'],
      ...['--label', 'signing-agent/extractable', '--id', 'e0'],
    );
    const vault = await open({ keyring: 'extractable' });
    const [object] = await vault.list();
    const publicKey = object?.publicKey ?? Buffer.alloc(0);
    expect(object).toEqual({ objectId: 'e0', publicKey, hasPrivateKey: true });
    expect(publicKey).toHaveLength(32);
    const error = await refusalOf(vault.sign({ objectId: 'e0', publicKey }, randomBytes(8)));
    expect(error.kind).toBe('not_supported');
    expect(error.message).toContain('CKA_EXTRACTABLE');
  });

  it('are not taken for one of ours under its id', async () => {
    const vault = await open({ keyring: 'swapped' });
    const [one, two] = [await vault.generate(null), await vault.generate(null)];
    await vault.close();
    const reopened = await open({ keyring: 'swapped' });
    const swapped = { objectId: one.objectId, publicKey: two.publicKey };
    const error = await refusalOf(reopened.sign(swapped, randomBytes(8)));
    expect(error.message).toContain('does not verify with its public key');
  });

  it('half-made are listed as what they are, and can be destroyed', async () => {
    const vault = await open({ keyring: 'halves' });
    const [whole, noPrivate, noPublic] = [
      await vault.generate(null),
      await vault.generate(null),
      await vault.generate(null),
    ];
    await pkcs11Tool('--delete-object', '--type', 'privkey', '--id', noPrivate.objectId);
    await pkcs11Tool('--delete-object', '--type', 'pubkey', '--id', noPublic.objectId);
    const byId = (await vault.list()).toSorted((a, b) => a.objectId.localeCompare(b.objectId));
    expect(byId).toEqual(
      [
        { ...whole, hasPrivateKey: true },
        { ...noPrivate, hasPrivateKey: false },
        { objectId: noPublic.objectId, publicKey: null, hasPrivateKey: true },
      ].toSorted((a, b) => a.objectId.localeCompare(b.objectId)),
    );
    expect((await refusalOf(vault.sign(noPrivate, randomBytes(8)))).kind).toBe(
      'backend_unavailable',
    );
    await vault.destroy(noPrivate.objectId);
    await vault.destroy(noPublic.objectId);
    expect(await vault.list()).toEqual([{ ...whole, hasPrivateKey: true }]);
  });

  it('can be told apart by a label of the URI', async () => {
    const uri = token.uri.replace('?', ';object=own%20label?');
    const vault = await open({ keyring: 'labelled', uri });
    const key = await vault.generate(null);
    expect(await vault.evidence(key)).toMatchObject({ CKA_LABEL: 'own label' });
  });
});

describe('the token', () => {
  const from = (attributes: string): string =>
    `pkcs11:${attributes}?module-path=${token.modulePath}`;

  it('is found by its serial, whatever slot it is in', async () => {
    const { stdout: listed } = await run('pkcs11-tool', ['--module', token.modulePath, '-T']);
    const serial = /serial num\s*:\s*(\w+)/.exec(listed)?.[1] ?? '';
    const vault = await open({ keyring: 'serial', uri: from(`serial=${serial}`) });
    await vault.generate(null);
    const exact = `token=test;serial=${serial};manufacturer=SoftHSM%20project;model=SoftHSM%20v2`;
    const same = await open({ keyring: 'serial', uri: from(exact) });
    expect(await same.list()).toHaveLength(1);
  });

  it('that is missing is named, with those that are there', async () => {
    const error = await refusalOf(open({ keyring: 'none', uri: from('token=absent;model=X') }));
    expect(error.kind).toBe('backend_unavailable');
    expect(error.message).toContain('no token with token "absent", model "X"');
    expect(error.message).toMatch(
      /it has token "test" \(SoftHSM project SoftHSM v2, serial [0-9a-f]+\)/,
    );
  });

  it('is not guessed where several match', async () => {
    const both = await makeToken('first');
    onTestFinished(() => {
      token.use();
      return both.remove();
    });
    await both.addToken('second');
    both.use();
    const uri = `pkcs11:model=SoftHSM%20v2?module-path=${token.modulePath}`;
    const error = await refusalOf(open({ keyring: 'two', uri }));
    expect(error.kind).toBe('invalid_params');
    expect(error.message).toContain('2 tokens with model "SoftHSM v2"');
    expect(error.message).toMatch(/token "first".*token "second"|token "second".*token "first"/);
  });

  it('refuses a wrong PIN, which is tried once and stands nowhere', async () => {
    const wrong = Buffer.from('wrong-pin');
    const error = await refusalOf(open({ keyring: 'pin', pin: wrong }));
    expect(error.kind).toBe('locked');
    expect(error.message).toContain('refused the PIN (CKR_PIN_INCORRECT)');
    expect(JSON.stringify([error, error.message, String(error.cause)])).not.toContain('wrong-pin');
    await open({ keyring: 'pin' });
  });

  it('has the PIN wiped whatever comes of it', async () => {
    const good = Buffer.from(pin);
    await open({ keyring: 'wipe', pin: good });
    const bad = Buffer.from('bad');
    await refusalOf(open({ keyring: 'wipe', uri: from('token=absent'), pin: bad }));
    expect([...good, ...bad].every((byte) => byte === 0)).toBe(true);
  });

  it('must be named without the id of a key', async () => {
    const error = await refusalOf(open({ keyring: 'id', uri: from('token=test;id=%01') }));
    expect(error.kind).toBe('invalid_params');
  });

  it('without the mechanism is told apart from one that fails', async () => {
    const algorithm = { ...ed25519, pkcs11: { ...ed25519.pkcs11, sign: 0x80000001 } };
    const error = await refusalOf(open({ keyring: 'mechanism', algorithm }));
    expect(error.kind).toBe('not_supported');
    expect(error.message).toContain('0x80000001');
  });

  it('may lose sessions: signing goes on with new ones', async () => {
    const vault = await open({ keyring: 'lost', sessions: 3 });
    const key = await vault.generate(null);
    await Promise.all(Array.from({ length: 9 }, () => expectSigns(vault, key)));
    const module = modules.use(token.modulePath);
    // The lowest number is the session that holds the login; SoftHSM counts them up.
    for (let number = 2; number < 10; number += 1) {
      const handle = Buffer.alloc(8);
      handle.writeUInt32LE(number);
      try {
        module.lib.C_CloseSession(handle);
      } catch (thrown) {
        expect(returnValueOf(thrown)).toBe(0xb3);
      }
    }
    module.release();
    await Promise.all(Array.from({ length: 50 }, () => expectSigns(vault, key)));
    await vault.generate(null);
  });

  it('may forget the login: whoever waits is told, and served after another one', async () => {
    const vault = await open({ keyring: 'reset', sessions: 1 });
    const key = await vault.generate(null);
    const module = modules.use(token.modulePath);
    for (const slot of module.slots()) module.lib.C_CloseAllSessions(slot.handle);
    module.release();
    const refused = await Promise.all(
      Array.from({ length: 5 }, () => refusalOf(vault.sign(key, randomBytes(8)))),
    );
    const kinds = refused.map((error) => error.kind);
    expect(kinds).toEqual(Array.from({ length: 5 }, () => 'backend_unavailable'));
    expect(refused.map(isLoginLost)).not.toContain(false);
    vault.logInAgain(Buffer.from(pin));
    await Promise.all(Array.from({ length: 5 }, () => expectSigns(vault, key)));
  });

  it('is let go of only when what was taken on is done', async () => {
    const vault = await open({ keyring: 'close', sessions: 2 });
    const key = await vault.generate(null);
    const signing = Promise.all(Array.from({ length: 40 }, () => expectSigns(vault, key)));
    const closing = Promise.all([vault.close(), vault.close()]);
    expect((await refusalOf(vault.sign(key, randomBytes(8)))).kind).toBe('shutting_down');
    await signing;
    await closing;
  });
});

describe('softhsm/make-token', () => {
  it('shows no PIN, and closes what it makes to others', async () => {
    const made = await run('softhsm/make-token', ['--dir', `${token.dir}/sub`, '--label', 'own']);
    const files = ['', 'pin', 'so-pin', 'softhsm2.conf', 'tokens'];
    const modes = files.map((name) => statSync(`${token.dir}/sub/${name}`).mode & 0o777);
    expect(modes).toEqual([0o700, 0o600, 0o600, 0o600, 0o700]);
    const pins = ['pin', 'so-pin'].map((name) => readFileSync(`${token.dir}/sub/${name}`, 'utf8'));
    expect(new Set(pins).size).toBe(2);
    for (const each of pins) expect(made.stdout + made.stderr).not.toContain(each.trim());
  });

  it('leaves a token alone that is there', async () => {
    const again = run('softhsm/make-token', ['--dir', token.dir, '--label', 'test']);
    await expect(again).rejects.toMatchObject({
      code: 1,
      stdout: '',
      stderr: `make-token: ${token.dir} has a token "test" already; it was left as it is\n`,
    });
    await open({ keyring: 'left-alone' });
  });
});

describe('what the token says', () => {
  it('decides the protection: both mechanisms and every key', () => {
    const good = { CKA_LOCAL: true, CKA_SENSITIVE: true, CKA_NEVER_EXTRACTABLE: true };
    expect(protectionOf([1, 1], [])).toBe('hardware');
    expect(protectionOf([1 | 0x800, 1 | 0x10000], [good, good])).toBe('hardware');
    expect(protectionOf([1, 0], [good])).toBe('software');
    expect(protectionOf([0, 1], [good])).toBe('software');
    for (const name of ['CKA_LOCAL', 'CKA_SENSITIVE', 'CKA_NEVER_EXTRACTABLE']) {
      expect(protectionOf([1, 1], [good, { ...good, [name]: false }])).toBe('software');
      expect(protectionOf([1, 1], [good, { ...good, [name]: null }])).toBe('software');
    }
  });

  it('of a public key is taken in three forms', () => {
    const point = createHash('sha256').update('a point').digest();
    const forms = ['', '0420', '032100'].map((head) =>
      Buffer.from(head + point.toString('hex'), 'hex'),
    );
    for (const form of forms) expect(publicKeyFromEcPoint(form, 32)).toEqual(point);
    for (const head of ['00', '0421', '0320', '032101', '04200420']) {
      const form = Buffer.from(head + point.toString('hex'), 'hex');
      expect(publicKeyFromEcPoint(form, 32)).toBeNull();
    }
  });

  it.each([
    [0xa0, 'locked', 'CKR_PIN_INCORRECT'],
    [0xa4, 'locked', 'CKR_PIN_LOCKED'],
    [0x101, 'backend_unavailable', 'CKR_USER_NOT_LOGGED_IN'],
    [0x21, 'too_large', 'CKR_DATA_LEN_RANGE'],
    [0x140, 'not_supported', 'CKR_CURVE_NOT_SUPPORTED'],
    [0x30, 'backend_unavailable', 'CKR_DEVICE_ERROR'],
    [0x80000042, 'backend_unavailable', 'CKR 0x80000042'],
  ])('of a failure is read from the number: %i is %s', (code, kind, name) => {
    const cause = Object.assign(new Error('CKR_VENDOR_DEFINED'), { code });
    expect(translate(cause, 'sign')).toMatchObject({
      kind,
      cause,
      message: `the token could not sign: ${name}`,
    });
    expect(returnValueOf(new Error(`CKR_VENDOR_DEFINED:${code}`))).toBe(code);
  });

  it('of a stale handle is told from other failures', () => {
    const failure = (code: number): Error => Object.assign(new Error('x'), { code });
    expect([0xb3, 0xb0, 0x82, 0x90].map((code) => isStale(failure(code)))).not.toContain(false);
    expect([0x30, 0x05, 0xa0].map((code) => isStale(failure(code)))).not.toContain(true);
    expect(isStale('CKR_SESSION_CLOSED')).toBe(false);
  });
});
