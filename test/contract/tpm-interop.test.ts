import { createHash, createPublicKey, randomBytes, verify } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseTss2Key } from '../../src/formats/tpm/tss2-key.ts';
import { encodeTss2Key } from '../../src/formats/tpm/tss2-key.ts';
import { nameOf } from '../../src/formats/tpm/public-area.ts';
import { sized } from '../../src/formats/tpm/bytes.ts';
import { startSwtpm, type Swtpm } from '../support/swtpm.ts';
import { tpmKeyringOf, type TpmKeyringRig } from '../support/tpm-keyring.ts';

/** Blobs go between this program, tpm2-tools and OpenSSL's TPM provider, both ways. */

let tpm: Swtpm;
beforeAll(async () => {
  tpm = await startSwtpm();
});
afterAll(() => tpm.remove());

const keyring = (name: string): TpmKeyringRig => tpmKeyringOf(tpm, name);

const provider = ['-provider', 'tpm2', '-provider', 'default', '-propquery', '?provider=tpm2'];
const publicPem = (point: Uint8Array): string => {
  const half = (from: number): string =>
    Buffer.from(point.subarray(from, from + 32)).toString('base64url');
  const jwk = { kty: 'EC', crv: 'P-256', x: half(1), y: half(33) };
  return createPublicKey({ key: jwk, format: 'jwk' }).export({
    type: 'spki',
    format: 'pem',
  }) as string;
};
const inDir = (name: string): string => join(tpm.dir, name);

/** The storage root key as key files mean it, made by tpm2-tools. */
const makeRoot = (): Promise<string> =>
  tpm.tools(
    'tpm2_createprimary',
    ...['-C', 'o', '-g', 'sha256', '-G', 'ecc256:aes128cfb', '-c', 'root.ctx'],
    ...['-a', 'fixedtpm|fixedparent|sensitivedataorigin|userwithauth|noda|restricted|decrypt'],
  );

describe('a key that this program made', () => {
  it('signs by OpenSSL, which reads its public key from the file', async () => {
    const ring = keyring('openssl');
    const vault = await ring.open();
    const key = await vault.generate(null);
    await ring.close();
    const path = join(ring.folder, `${key.objectId}.pem`);
    const message = randomBytes(1000);
    writeFileSync(inDir('message'), message);
    const pem = await tpm.openssl('pkey', ...provider, '-in', path, '-pubout');
    expect(pem.trim()).toBe(publicPem(key.publicKey).trim());
    await tpm.openssl(
      'dgst',
      '-sha256',
      ...provider,
      '-sign',
      path,
      '-out',
      'signature',
      'message',
    );
    const signature = readFileSync(inDir('signature'));
    expect(verify('sha256', message, publicPem(key.publicKey), signature)).toBe(true);
  });

  it('is loaded and signs by tpm2-tools, under the same name', async () => {
    const ring = keyring('tools');
    const vault = await ring.open();
    const key = await vault.generate(null);
    await ring.close();
    const file = parseTss2Key(ring.read(`${key.objectId}.pem`));
    writeFileSync(inDir('key.pub'), sized(file.public));
    writeFileSync(inDir('key.priv'), sized(file.private));
    await makeRoot();
    await tpm.tools(
      'tpm2_load',
      ...['-C', 'root.ctx', '-u', 'key.pub', '-r', 'key.priv', '-c', 'key.ctx', '-n', 'key.name'],
    );
    expect(readFileSync(inDir('key.name'))).toEqual(nameOf(file.public));
    const message = randomBytes(100);
    writeFileSync(inDir('digest'), createHash('sha256').update(message).digest());
    await tpm.tools(
      'tpm2_sign',
      ...[
        '-c',
        'key.ctx',
        '-g',
        'sha256',
        '-s',
        'ecdsa',
        '-f',
        'plain',
        '-d',
        '-o',
        'signature',
        'digest',
      ],
    );
    const signature = readFileSync(inDir('signature'));
    expect(verify('sha256', message, publicPem(key.publicKey), signature)).toBe(true);
  });
});

describe('a key that others made', () => {
  /** As an operator puts it into the folder of a keyring. */
  const objectId = '019a00000000000000000000000000aa';

  it('by OpenSSL signs here, with the public key that OpenSSL has', async () => {
    await tpm.openssl(
      'genpkey',
      ...[
        '-provider',
        'tpm2',
        '-provider',
        'default',
        '-algorithm',
        'EC',
        '-pkeyopt',
        'group:P-256',
      ],
      ...['-out', 'theirs.pem'],
    );
    const theirs = await tpm.openssl('pkey', ...provider, '-in', 'theirs.pem', '-pubout');
    const ring = keyring('theirs');
    await ring.open();
    ring.write(`${objectId}.pem`, readFileSync(inDir('theirs.pem'), 'latin1'));
    const vault = await ring.reopen();
    const [key] = await vault.list();
    const publicKey = key?.publicKey ?? Buffer.alloc(0);
    expect(publicPem(publicKey).trim()).toBe(theirs.trim());
    const message = randomBytes(100);
    const signature = await vault.sign({ objectId, publicKey }, message);
    expect(vault.algorithm.verify(message, signature, publicKey)).toBe(true);
    expect(await vault.evidence({ objectId, publicKey })).toMatchObject({
      made: 'in the TPM; by which program is not known',
      ...{ fixedTPM: true, sensitiveDataOrigin: true, decrypt: true },
    });
  });

  it('by tpm2-tools signs here', async () => {
    await makeRoot();
    await tpm.tools(
      'tpm2_create',
      ...['-C', 'root.ctx', '-g', 'sha256', '-G', 'ecc256', '-u', 'their.pub', '-r', 'their.priv'],
      ...['-a', 'fixedtpm|fixedparent|sensitivedataorigin|userwithauth|noda|sign'],
    );
    const ring = keyring('their-tools');
    await ring.open();
    const file = encodeTss2Key({
      type: 'loadable',
      emptyAuth: true,
      policy: [],
      parent: 0x40000001,
      public: readFileSync(inDir('their.pub')).subarray(2),
      private: readFileSync(inDir('their.priv')).subarray(2),
    });
    ring.write(`${objectId}.pem`, file);
    const vault = await ring.reopen();
    const [key] = await vault.list();
    const publicKey = key?.publicKey ?? Buffer.alloc(0);
    const message = randomBytes(100);
    const signature = await vault.sign({ objectId, publicKey }, message);
    expect(vault.algorithm.verify(message, signature, publicKey)).toBe(true);
  });

  it('that could leave the TPM, or came from elsewhere, is refused', async () => {
    await makeRoot();
    for (const [attributes, fault] of [
      ['sensitivedataorigin|userwithauth|noda|sign', 'it is not fixedTPM, it is not fixedParent'],
      [
        'fixedtpm|fixedparent|sensitivedataorigin|userwithauth|noda|sign|restricted',
        'it is restricted',
      ],
    ] as const) {
      const scheme = attributes.includes('restricted') ? 'ecc256:ecdsa:null' : 'ecc256';
      await tpm.tools(
        'tpm2_create',
        ...['-C', 'root.ctx', '-g', 'sha256', '-G', scheme, '-a', attributes],
        ...['-u', 'bad.pub', '-r', 'bad.priv'],
      );
      const ring = keyring('refused');
      await ring.open();
      ring.write(
        `${objectId}.pem`,
        encodeTss2Key({
          type: 'loadable',
          emptyAuth: true,
          policy: [],
          parent: 0x40000001,
          public: readFileSync(inDir('bad.pub')).subarray(2),
          private: readFileSync(inDir('bad.priv')).subarray(2),
        }),
      );
      const vault = await ring.reopen();
      const [key] = await vault.list();
      const publicKey = key?.publicKey ?? Buffer.alloc(0);
      await expect(vault.sign({ objectId, publicKey }, randomBytes(8))).rejects.toThrow(fault);
      await ring.remove();
    }
  });
});

describe('the sealed key of a keyring', () => {
  it('is opened by tpm2-tools where nothing but the TPM is demanded, and by the PIN where one is', async () => {
    for (const pin of [null, '1234']) {
      const ring = keyring('sealed');
      await ring.open({ algorithm: 'ed25519', pin });
      await ring.close();
      const file = parseTss2Key(ring.read('keyring-key.pem'));
      expect(file.type).toBe('sealed');
      writeFileSync(inDir('seal.pub'), sized(file.public));
      writeFileSync(inDir('seal.priv'), sized(file.private));
      await makeRoot();
      await tpm.tools(
        'tpm2_load',
        ...['-C', 'root.ctx', '-u', 'seal.pub', '-r', 'seal.priv', '-c', 'seal.ctx'],
      );
      const given = pin === null ? [] : ['-p', pin];
      await tpm.tools('tpm2_unseal', '-c', 'seal.ctx', ...given, '-o', 'secret');
      expect(readFileSync(inDir('secret'))).toHaveLength(32);
      await ring.remove();
    }
  });
});
