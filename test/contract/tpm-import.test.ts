import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { AgentError } from '../../src/base/errors.ts';
import { encodeTss2Key, parseTss2Key } from '../../src/formats/tpm/tss2-key.ts';
import type { TpmVault } from '../../src/vault/tpm/tpm-vault.ts';
import type { VaultKey } from '../../src/vault/vault.ts';
import { startSwtpm, type Swtpm } from '../support/swtpm.ts';
import { tpmKeyringOf, type TpmKeyringRig, type TpmVaultChoices } from '../support/tpm-keyring.ts';
import { expectSigns } from '../support/expect-signs.ts';

/** Keys that OpenSSL's provider and tpm2-tools made in the TPM are taken over from their files. */

let tpm: Swtpm;
let other: Swtpm;
// A TPM that is switched off counts that as a wrong PIN where a key had one.
beforeEach(() => tpm.tools('tpm2_dictionarylockout', '--clear-lockout'));
beforeAll(async () => {
  [tpm, other] = await Promise.all([startSwtpm(), startSwtpm()]);
});
afterAll(async () => {
  await tpm.remove();
  await other.remove();
});

const keyring = (name: string): TpmKeyringRig => tpmKeyringOf(tpm, name);

function importKey(
  vault: TpmVault,
  file: string,
  password: string | null = null,
): Promise<VaultKey> {
  const { importKey: take } = vault;
  if (typeof take === 'string') throw new Error(take);
  return take(null, { file, password: password === null ? null : Buffer.from(password) });
}

async function refusal(work: Promise<unknown>): Promise<Pick<AgentError, 'kind' | 'message'>> {
  const thrown: unknown = await work.then(
    () => null,
    (failure: unknown) => failure,
  );
  if (!(thrown instanceof AgentError)) throw new Error(`not refused: ${String(thrown)}`);
  return { kind: thrown.kind, message: thrown.message };
}

/** `password`: of the new key. */
async function byOpenssl(at = tpm, password: string | null = null): Promise<string> {
  const options = password === null ? [] : ['-pkeyopt', `user-auth:${password}`];
  await at.openssl(
    'genpkey',
    ...['-provider', 'tpm2', '-provider', 'default', '-algorithm', 'EC'],
    ...['-pkeyopt', 'group:P-256', ...options, '-out', 'theirs.pem'],
  );
  return readFileSync(join(at.dir, 'theirs.pem'), 'latin1');
}

const usual = 'fixedtpm|fixedparent|sensitivedataorigin|userwithauth|noda|sign';

/** As `tpm2_encodeobject` has it, which says of every key without -p that it asks for a password. `attributes`: of tpm2_create. */
async function byTools(
  attributes = usual,
  more: readonly string[] = [],
  algorithm = 'ecc256',
): Promise<string> {
  await tpm.tools(
    'tpm2_createprimary',
    ...['-C', 'o', '-g', 'sha256', '-G', 'ecc256:aes128cfb', '-c', 'root.ctx'],
    ...['-a', 'fixedtpm|fixedparent|sensitivedataorigin|userwithauth|noda|restricted|decrypt'],
  );
  const parts = ['-u', 'their.pub', '-r', 'their.priv'];
  await tpm.tools(
    'tpm2_create',
    ...['-C', 'root.ctx', '-g', 'sha256', '-G', algorithm, '-a', attributes, ...parts, ...more],
  );
  await tpm.tools('tpm2_encodeobject', ...['-C', 'root.ctx', ...parts, '-o', 'their.pem']);
  return readFileSync(join(tpm.dir, 'their.pem'), 'latin1');
}

const keptIn: readonly (readonly [string, TpmVaultChoices, boolean])[] = [
  ['without PCRs and PIN', {}, true],
  ['with PCRs and a PIN', { pcrs: [7], pin: 'correct horse' }, false],
];

describe.each(keptIn)('into a keyring %s', (_, choices, isOpen) => {
  it('a key of OpenSSL signs, now and after the end of the vault host and of the TPM', async () => {
    const file = await byOpenssl();
    const ring = keyring('openssl');
    const key = await importKey(await ring.open(choices), file);
    expect(parseTss2Key(ring.read(`${key.objectId}.pem`)).emptyAuth).toBe(isOpen);
    await ring.close();
    await tpm.restart();
    const vault = await ring.open(choices);
    await expectSigns(vault, key);
    expect(await vault.evidence(key)).toMatchObject({
      made: 'in the TPM, by another program',
      imported_at: expect.stringMatching(/^20\d\d-/) as unknown,
      ...{ fixedTPM: true, fixedParent: true, sensitiveDataOrigin: true, restricted: false },
      authorization: isOpen ? 'empty' : 'kept under the sealed key',
    });
    expect(await vault.list()).toMatchObject([{ objectId: key.objectId, hasPrivateKey: true }]);
  });

  it('a key of tpm2-tools signs, with and without a password', async () => {
    const ring = keyring('tools');
    for (const password of [null, 'their password']) {
      const file = await byTools(usual, password === null ? [] : ['-p', password]);
      const vault = await ring.open(choices);
      await expectSigns(vault, await importKey(vault, file, password));
      await ring.close();
    }
  });

  it('a key of OpenSSL with a password: a wrong one is refused, and its file works as before', async () => {
    const file = await byOpenssl(tpm, 'abcd');
    const ring = keyring('password');
    const vault = await ring.open(choices);
    expect(await refusal(importKey(vault, file))).toMatchObject({
      kind: 'invalid_params',
      message: expect.stringContaining('--password-file FILE') as unknown,
    });
    expect(await refusal(importKey(vault, file, 'wrong'))).toMatchObject({
      kind: 'invalid_params',
      message: expect.stringContaining('refused the password of the key') as unknown,
    });
    expect(await vault.list()).toEqual([]);
    const key = await importKey(vault, file, 'abcd');
    await expectSigns(vault, key);
    await vault.destroy(key.objectId, key.publicKey);
    expect(ring.files().filter((name) => name.startsWith(key.objectId))).toEqual([]);
    await expectSigns(vault, await importKey(vault, file, 'abcd'));
  });
});

describe('what is refused, and says why', () => {
  it.each([
    ['sensitivedataorigin|userwithauth|noda|sign', 'it is not fixedTPM, it is not fixedParent'],
    [
      'fixedtpm|fixedparent|sensitivedataorigin|userwithauth|noda|sign|restricted',
      'it is restricted',
    ],
    ['fixedtpm|fixedparent|sensitivedataorigin|userwithauth|noda|decrypt', 'it is not sign'],
  ])('a key that is %s', async (attributes, fault) => {
    const algorithm = attributes.includes('restricted') ? 'ecc256:ecdsa:null' : 'ecc256';
    const file = await byTools(attributes, [], algorithm);
    const vault = await keyring('refused').open();
    const refused = await refusal(importKey(vault, file));
    expect(refused.kind).toBe('not_supported');
    expect(refused.message).toContain(fault);
    expect(await vault.list()).toEqual([]);
  });

  it('a key of another TPM', async () => {
    const file = await byOpenssl(other);
    const vault = await keyring('another').open();
    const refused = await refusal(importKey(vault, file));
    expect(refused.kind).toBe('invalid_params');
    expect(refused.message).toContain('is of another TPM, or its parent is another key');
    await expectSigns(vault, await vault.generate(null));
  });

  it('text that is no key file, a damaged one, sealed data, and a key from outside', async () => {
    const ring = keyring('no-key');
    const file = parseTss2Key(await byTools());
    const vault = await ring.open();
    const sealed = ring.read('keyring-key.pem');
    const flipped = Buffer.from(file.private);
    flipped[10] = (flipped[10] ?? 0) ^ 1;
    for (const [text, kind, why] of [
      ['hello', 'invalid_params', 'it is no PEM with the label TSS2 PRIVATE KEY'],
      [
        encodeTss2Key({ ...file, public: Buffer.of(1, 2) }),
        'invalid_params',
        'no key can be imported',
      ],
      [encodeTss2Key({ ...file, private: flipped }), 'invalid_params', 'is of another TPM'],
      [
        encodeTss2Key({ ...file, private: Buffer.alloc(0) }),
        'invalid_params',
        'is damaged, says the TPM',
      ],
      [
        encodeTss2Key({ ...file, private: Buffer.alloc(9000, 1) }),
        'invalid_params',
        'its private part is too long',
      ],
      [sealed, 'not_supported', 'it has sealed data, and no key'],
      [
        encodeTss2Key({ ...file, type: 'importable' }),
        'not_supported',
        'comes from outside of the TPM',
      ],
      [
        encodeTss2Key({ ...file, policy: [{ code: 0x16b, statement: Buffer.alloc(0) }] }),
        'not_supported',
        'its key has a policy',
      ],
    ] as const) {
      const refused = await refusal(importKey(vault, text));
      expect(refused.kind).toBe(kind);
      expect(refused.message).toContain(why);
    }
    expect(await vault.list()).toEqual([]);
  });

  it('every key, where the keyring has Ed25519 keys', async () => {
    const vault = await keyring('seeds').open({ algorithm: 'ed25519' });
    expect(vault.importKey).toMatch(/Ed25519 keys, which no TPM has/);
  });
});

it('one key in two keyrings of a TPM, with two authorisations: both sign', async () => {
  const file = await byOpenssl();
  const [open, closed] = [keyring('open'), keyring('closed')];
  const first = await open.open();
  const one = await importKey(first, file);
  await open.close();
  const second = await closed.open({ pcrs: [7] });
  const two = await importKey(second, file);
  await expectSigns(second, two);
  await closed.close();
  await expectSigns(await open.open(), one);
});

it('a key under the persistent storage root key is taken into a keyring that began before it was there', async () => {
  const ring = keyring('persistent');
  await ring.open();
  await ring.close();
  await byTools(); // leaves the storage root key in root.ctx
  await tpm.tools('tpm2_evictcontrol', '-C', 'o', '-c', 'root.ctx', '0x81000001');
  await tpm.openssl(
    'genpkey',
    ...['-provider', 'tpm2', '-provider', 'default', '-algorithm', 'EC'],
    ...['-pkeyopt', 'group:P-256', '-pkeyopt', 'parent:0x81000001', '-out', 'theirs.pem'],
  );
  const file = readFileSync(join(tpm.dir, 'theirs.pem'), 'latin1');
  expect(parseTss2Key(file).parent).toBe(0x81000001);
  const vault = await ring.open();
  const key = await importKey(vault, file);
  expect(parseTss2Key(ring.read(`${key.objectId}.pem`)).parent).toBe(0x40000001);
  await expectSigns(vault, key);
});
