import { createPublicKey, randomBytes, verify } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { AlgorithmName } from '../../src/api/signing-backend.ts';
import type { VaultKey } from '../../src/vault/vault.ts';
import { startSwtpm, type Swtpm } from '../support/swtpm.ts';
import { tpmKeyringOf, type TpmKeyringRig } from '../support/tpm-keyring.ts';
import { refusalOf } from '../support/refusal.ts';
import { expectSigns } from '../support/expect-signs.ts';

let tpm: Swtpm;
beforeAll(async () => {
  tpm = await startSwtpm();
});
afterAll(() => tpm.remove());

const keyring = (name: string): TpmKeyringRig => tpmKeyringOf(tpm, name);

describe.each<AlgorithmName>(['es256', 'ed25519'])('%s keys of a TPM', (algorithm) => {
  it('are made under the reserved id, sign, and are there after a restart of the TPM', async () => {
    const ring = keyring('make');
    const first = await ring.open({ algorithm });
    const objectId = first.reserve();
    expect(objectId).toMatch(/^[0-9a-f]{32}$/);
    const key = await first.generate(objectId);
    expect(key.objectId).toBe(objectId);
    await expectSigns(first, key);
    await expectSigns(first, key, Buffer.alloc(0));
    await expectSigns(first, key, randomBytes(1_000_000));
    await ring.close();
    await tpm.restart();
    const second = await ring.open({ algorithm });
    expect(await second.list()).toEqual([{ ...key, hasPrivateKey: true }]);
    await expectSigns(second, key);
    await expectSigns(second, key);
  });

  it('sign many messages at once, each with its own signature', async () => {
    const vault = await keyring('parallel').open({ algorithm });
    const keys = [
      await vault.generate(null),
      await vault.generate(null),
      await vault.generate(null),
    ];
    const messages = Array.from({ length: 60 }, (_, index) => Buffer.from(`message ${index}`));
    const made = await Promise.all(
      messages.map(async (message, index) => {
        const key = keys[index % keys.length] as VaultKey;
        return { message, key, signature: await vault.sign(key, message) };
      }),
    );
    for (const { message, key, signature } of made) {
      expect(vault.algorithm.verify(message, signature, key.publicKey)).toBe(true);
    }
  });

  it('are software where the TPM is an emulator, which the evidence says too', async () => {
    const vault = await keyring('protection').open({ algorithm });
    const key = await vault.generate(null);
    expect(vault.protection).toBe('software');
    expect(await vault.evidence(key)).toMatchObject({ tpm: 'IBM SW TPM', tpm_is_emulated: true });
  });

  it('are not made under an id that is taken, and that key stays', async () => {
    const vault = await keyring('taken').open({ algorithm });
    const key = await vault.generate(null);
    expect((await refusalOf(vault.generate(key.objectId))).kind).toBe('already_exists');
    await expectSigns(vault, key);
  });

  it('are destroyed for good, and once more without complaint', async () => {
    const ring = keyring('destroy');
    const vault = await ring.open({ algorithm });
    const [key, other] = [await vault.generate(null), await vault.generate(null)];
    await expectSigns(vault, key);
    await vault.destroy(key.objectId);
    await vault.destroy(key.objectId);
    expect(await vault.list()).toEqual([{ ...other, hasPrivateKey: true }]);
    expect((await refusalOf(vault.sign(key, randomBytes(8)))).kind).toBe('backend_unavailable');
    expect(ring.files().filter((name) => name.startsWith(key.objectId))).toEqual([]);
    await expectSigns(vault, other);
  });

  it('do not stand for one another', async () => {
    const ring = keyring('swapped');
    const vault = await ring.open({ algorithm });
    const [one, two] = [await vault.generate(null), await vault.generate(null)];
    const reopened = await ring.reopen({ algorithm });
    const swapped = { objectId: one.objectId, publicKey: two.publicKey };
    expect((await refusalOf(reopened.sign(swapped, randomBytes(8)))).kind).toBe(
      'backend_unavailable',
    );
    await expectSigns(reopened, one);
  });

  it('never reach another file by their id', async () => {
    const ring = keyring('paths');
    const vault = await ring.open({ algorithm });
    for (const objectId of ['../device', 'keyring-key', 'device', '00', '']) {
      await vault.destroy(objectId);
      const error = await refusalOf(
        vault.sign({ objectId, publicKey: randomBytes(32) }, randomBytes(8)),
      );
      expect(error.kind).toBe('invalid_params');
    }
    expect(ring.files()).toEqual(['device.json', 'keyring-key.pem']);
  });

  it('are left alone where their file is broken, and named', async () => {
    const ring = keyring('broken');
    const vault = await ring.open({ algorithm });
    const key = await vault.generate(null);
    const name = ring.files().find((each) => /^[0-9a-f]{32}\.(pem|seed)/.test(each)) ?? '';
    const whole = ring.read(name);
    ring.write(name, whole.slice(0, 100));
    const reopened = await ring.reopen({ algorithm });
    const error = await refusalOf(reopened.sign(key, randomBytes(8)));
    expect(error.kind).toBe('backend_unavailable');
    expect(error.message).toContain(`${name} is broken`);
    expect(ring.read(name)).toBe(whole.slice(0, 100));
    ring.write(name, whole);
    await expectSigns(reopened, key);
  });

  it('keep a seal, whose counter only goes up', async () => {
    const ring = keyring('seal');
    const { sealStore } = await ring.open({ algorithm });
    expect(await sealStore.read()).toBeNull();
    const key = randomBytes(32);
    await sealStore.write({ key, counter: 0 });
    expect(await sealStore.read()).toEqual({ key, counter: 0 });
    const old = ring.read('seal.json');
    await sealStore.write({ key, counter: 1 });
    await sealStore.write({ key, counter: 5 });
    await sealStore.write({ key, counter: 5 });
    expect(await sealStore.read()).toEqual({ key, counter: 5 });
    expect((await refusalOf(sealStore.write({ key, counter: 4 }))).kind).toBe('conflict');
    ring.write('seal.json', old);
    await ring.close();
    await tpm.restart();
    const { sealStore: again } = await ring.open({ algorithm });
    expect(await again.read()).toEqual({ key, counter: 5 });
    await again.write({ key, counter: 6 });
    expect(await again.read()).toEqual({ key, counter: 6 });
  });
});

describe('an ES256 key of a TPM', () => {
  it('is made in it and stays there, as the TPM itself says', async () => {
    const vault = await keyring('attributes').open();
    const key = await vault.generate(null);
    expect(await vault.evidence(key)).toMatchObject({
      made: 'in the TPM',
      fixedTPM: true,
      fixedParent: true,
      sensitiveDataOrigin: true,
      sign: true,
      decrypt: false,
      restricted: false,
      authorization: 'empty',
    });
  });

  it('verifies with node:crypto alone', async () => {
    const vault = await keyring('crypto').open();
    const key = await vault.generate(null);
    const half = (from: number): string =>
      Buffer.from(key.publicKey.subarray(from, from + 32)).toString('base64url');
    const publicKey = createPublicKey({
      key: { kty: 'EC', crv: 'P-256', x: half(1), y: half(33) },
      format: 'jwk',
    });
    const message = Buffer.from('hello');
    const signature = await vault.sign(key, message);
    const given = { key: publicKey, dsaEncoding: 'ieee-p1363' } as const;
    expect(verify('sha256', message, given, signature)).toBe(true);
  });
});
