import { createHash, randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { attestationDocument } from '../../src/formats/tpm/attestation-document.ts';
import { nameOf, pointOf, readPublicArea } from '../../src/formats/tpm/public-area.ts';
import {
  AttestationFault,
  checkAttestation,
  type CheckedAttestation,
} from '../../src/formats/tpm/verify-attestation.ts';
import { startSwtpm, type Swtpm } from '../support/swtpm.ts';
import { TpmKeyringRig } from '../support/tpm-keyring.ts';
import { kidOf } from '../../src/algorithms/kid.ts';

let tpm: Swtpm;
beforeAll(async () => {
  tpm = await startSwtpm();
});
afterAll(() => tpm.remove());

type Document = Record<string, unknown>;

const nobodyAsked = { nonce: null, publicKey: null, attestationKey: null };

async function attested(
  choices: { pin?: string } = {},
): Promise<{ document: Document; nonce: Buffer; publicKey: Uint8Array }> {
  const ring = new TpmKeyringRig(tpm, 'attested');
  onTestFinished(() => ring.remove());
  const vault = await ring.open(choices);
  const { publicKey, objectId } = await vault.generate(null);
  const nonce = randomBytes(20);
  const document = await vault.attest({ objectId, publicKey }, nonce);
  await ring.close();
  return { document, nonce, publicKey };
}

function faultOf(document: unknown, wanted: Parameters<typeof checkAttestation>[1]): string {
  let checked: CheckedAttestation;
  try {
    checked = checkAttestation(document, wanted);
  } catch (failure) {
    if (failure instanceof AttestationFault) return failure.message;
    throw failure;
  }
  throw new Error(`it holds: ${JSON.stringify(checked)}`);
}

describe('the attestation of an ES256 key', () => {
  it('holds for its nonce, its key and its attestation key, with the data of its creation', async () => {
    for (const choices of [{}, { pin: '1234' }]) {
      const { document, nonce, publicKey } = await attested(choices);
      const checked = checkAttestation(document, { ...nobodyAsked, nonce, publicKey });
      expect(checked.publicKey).toEqual(Buffer.from(publicKey));
      expect(checked.creation?.pcrs).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
      // Nothing has extended a register of this TPM.
      const zeros = createHash('sha256')
        .update(Buffer.alloc(8 * 32))
        .digest('hex');
      expect(checked.creation?.pcrDigest).toBe(zeros);
      const { attestationKey } = checked;
      expect(checkAttestation(document, { nonce, publicKey, attestationKey })).toEqual(checked);
    }
  });

  it('is by the same attestation key each time, until the TPM is another', async () => {
    const [one, two] = [await attested(), await attested()];
    const key = (document: Document): string =>
      checkAttestation(document, nobodyAsked).attestationKey;
    expect(key(one.document)).toBe(key(two.document));
    const other = await startSwtpm();
    onTestFinished(() => other.remove());
    const ring = new TpmKeyringRig(other, 'other');
    onTestFinished(() => ring.remove());
    const vault = await ring.open();
    const elsewhere = await vault.attest(await vault.generate(null), randomBytes(16));
    expect(key(elsewhere)).not.toBe(key(one.document));
    expect(faultOf(elsewhere, { ...nobodyAsked, attestationKey: key(one.document) })).toMatch(
      /^it is attested by 000b[0-9a-f]{64}, and not by/,
    );
  });

  it('does not hold for another nonce or another key', async () => {
    const { document } = await attested();
    expect(faultOf(document, { ...nobodyAsked, nonce: randomBytes(20) })).toBe(
      'it was made for another nonce',
    );
    const { publicKey } = await attested();
    expect(faultOf(document, { ...nobodyAsked, publicKey })).toContain('of another key');
  });

  it('does not hold where anything of it is changed', async () => {
    const [{ document }, { document: foreign }] = [await attested(), await attested()];
    const changed = (path: string, change: (bytes: Buffer) => Buffer): Document => {
      const copy = structuredClone(document);
      const [outer = '', inner] = path.split('.');
      const holder = (inner === undefined ? copy : copy[outer]) as Record<string, string>;
      const name = inner ?? outer;
      holder[name] = change(Buffer.from(holder[name] ?? '', 'base64url')).toString('base64url');
      return copy;
    };
    const paths = [
      'public_key_b64',
      'nonce_b64',
      'key_public_b64',
      'attestation_key_public_b64',
      'certified.attest_b64',
      'certified.signature_b64',
      'creation.attest_b64',
      'creation.signature_b64',
      'creation.creation_data_b64',
    ];
    for (const path of paths) {
      for (const at of [0, 10, -1]) {
        const flipped = changed(path, (bytes) => {
          const where = at < 0 ? bytes.length - 1 : Math.min(at, bytes.length - 1);
          bytes[where] = (bytes[where] ?? 0) ^ 1;
          return bytes;
        });
        expect(faultOf(flipped, nobodyAsked)).not.toBe('');
      }
      expect(
        faultOf(
          changed(path, (bytes) => bytes.subarray(0, -1)),
          nobodyAsked,
        ),
      ).not.toBe('');
    }
    for (const part of ['certified', 'creation', 'key_public_b64', 'public_key_b64', 'kid']) {
      expect(faultOf({ ...document, [part]: foreign[part] }, nobodyAsked)).not.toBe('');
    }
    for (const nonsense of [null, [], {}, 'x', { ...document, version: 2 }]) {
      expect(faultOf(nonsense, nobodyAsked)).toContain('it is no attestation');
    }
  });

  it('is made while the TPM is full of other keys, which go on signing', async () => {
    const ring = new TpmKeyringRig(tpm, 'full');
    onTestFinished(() => ring.remove());
    const vault = await ring.open({ pin: '1234' });
    const keys = [
      await vault.generate(null),
      await vault.generate(null),
      await vault.generate(null),
    ];
    for (const key of [...keys, ...keys]) {
      const nonce = randomBytes(16);
      const document = await vault.attest(key, nonce);
      const { publicKey } = checkAttestation(document, { ...nobodyAsked, nonce });
      expect(publicKey).toEqual(Buffer.from(key.publicKey));
      for (const signer of keys) {
        const signature = await vault.sign(signer, nonce);
        expect(vault.algorithm.verify(nonce, signature, signer.publicKey)).toBe(true);
      }
    }
  });

  it('says so where the data of its creation was lost', async () => {
    const ring = new TpmKeyringRig(tpm, 'lost');
    onTestFinished(() => ring.remove());
    const vault = await ring.open();
    const key = await vault.generate(null);
    ring.delete(`${key.objectId}.creation.json`);
    const document = await vault.attest(key, randomBytes(16));
    expect(checkAttestation(document, nobodyAsked).creation).toBeNull();
  });

  it('has the endorsement certificate where the TPM has one', async () => {
    const before = await attested();
    expect(checkAttestation(before.document, nobodyAsked).issuers).toEqual([]);
    await tpm.openssl(
      ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'],
      ...[
        '-subj',
        '/CN=Maker of TPMs',
        '-keyout',
        'maker.key',
        '-outform',
        'DER',
        '-out',
        'maker.der',
      ],
    );
    const certificate = readFileSync(join(tpm.dir, 'maker.der'));
    // As some makers do: the index is longer than the certificate in it.
    writeFileSync(join(tpm.dir, 'padded'), Buffer.concat([certificate, Buffer.alloc(700, 0xff)]));
    const size = String(certificate.length + 700);
    const attributes = 'ownerwrite|authread|ownerread|no_da';
    await tpm.tools('tpm2_nvdefine', ...['-C', 'o', '-s', size, '-a', attributes, '0x01c0000a']);
    await tpm.tools('tpm2_nvwrite', ...['-C', 'o', '-i', 'padded', '0x01c0000a']);
    const { document } = await attested();
    expect(document['endorsement_certificates_b64']).toEqual([certificate.toString('base64url')]);
    expect(checkAttestation(document, nobodyAsked).issuers).toEqual(['CN=Maker of TPMs']);
  });

  it('is checked by tpm2-tools, which share no code with this', async () => {
    const { document } = await attested();
    const { certified, attestation_key_public_b64: area } = attestationDocument.parse(document);
    const write = (name: string, text: string): void => {
      writeFileSync(join(tpm.dir, name), Buffer.from(text, 'base64url'));
    };
    write('attest', certified.attest_b64);
    write('attest.sig', certified.signature_b64);
    const point = pointOf(readPublicArea(Buffer.from(area, 'base64url')));
    const spki = Buffer.concat([
      Buffer.from('3059301306072a8648ce3d020106082a8648ce3d030107034200', 'hex'),
      point ?? Buffer.alloc(0),
    ]);
    const pem = (spki.toString('base64').match(/.{1,64}/g) ?? []).join('\n');
    writeFileSync(
      join(tpm.dir, 'ak.pem'),
      `-----BEGIN PUBLIC KEY-----\n${pem}\n-----END PUBLIC KEY-----\n`,
    );
    await tpm.tools('tpm2_loadexternal', '-C', 'n', '-G', 'ecc', '-u', 'ak.pem', '-c', 'ak.ctx');
    await tpm.tools(
      'tpm2_verifysignature',
      ...['-c', 'ak.ctx', '-g', 'sha256', '-m', 'attest', '-s', 'attest.sig'],
    );
  });
});

describe('an attestation that tpm2-tools made', () => {
  it('holds here, and one by a key that signs what it is told does not', async () => {
    const attributes = 'fixedtpm|fixedparent|sensitivedataorigin|userwithauth|noda|sign';
    const primary = (name: string, more: string): Promise<string> =>
      tpm.tools(
        'tpm2_createprimary',
        ...['-C', 'e', '-g', 'sha256', '-G', 'ecc256:ecdsa-sha256:null', '-c', `${name}.ctx`],
        ...['-a', `${attributes}${more}`],
      );
    await tpm.tools('tpm2_createprimary', ...['-C', 'o', '-G', 'ecc256', '-c', 'root.ctx']);
    await tpm.tools(
      'tpm2_create',
      ...['-C', 'root.ctx', '-G', 'ecc256', '-a', attributes, '-u', 'k.pub', '-r', 'k.priv'],
    );
    await tpm.tools(
      'tpm2_load',
      ...['-C', 'root.ctx', '-u', 'k.pub', '-r', 'k.priv', '-c', 'k.ctx'],
    );
    // It takes none of its caller's, and always signs this.
    const nonce = Buffer.from('00ff55aa', 'hex');
    for (const [name, more, holds] of [
      ['restricted', '|restricted', true],
      ['open', '', false],
    ] as const) {
      await primary(name, more);
      await tpm.tools('tpm2_readpublic', '-c', `${name}.ctx`, '-o', `${name}.pub`);
      await tpm.tools(
        'tpm2_certify',
        ...['-c', 'k.ctx', '-C', `${name}.ctx`, '-g', 'sha256'],
        ...['-o', 'attest', '-s', 'sig'],
      );
      const read = (file: string): Buffer => readFileSync(join(tpm.dir, file));
      const [keyArea, akArea] = [read('k.pub').subarray(2), read(`${name}.pub`).subarray(2)];
      const publicKey = pointOf(readPublicArea(keyArea)) ?? Buffer.alloc(0);
      const document = {
        version: 1,
        type: 'tpm2',
        kid: kidOf(publicKey),
        public_key_b64: publicKey.toString('base64url'),
        nonce_b64: nonce.toString('base64url'),
        key_public_b64: keyArea.toString('base64url'),
        attestation_key_public_b64: akArea.toString('base64url'),
        certified: {
          attest_b64: read('attest').toString('base64url'),
          signature_b64: read('sig').toString('base64url'),
        },
        creation: null,
        endorsement_certificates_b64: [],
      };
      const attestationKey = nameOf(akArea).toString('hex');
      if (holds) {
        expect(
          checkAttestation(document, { nonce, publicKey, attestationKey }).attestationKey,
        ).toBe(attestationKey);
      } else {
        expect(faultOf(document, nobodyAsked)).toContain('no restricted signing key');
      }
    }
  });
});

describe('an Ed25519 key', () => {
  it('has none, and the answer says what is and what is not proved', async () => {
    const ring = new TpmKeyringRig(tpm, 'seed');
    onTestFinished(() => ring.remove());
    const vault = await ring.open({ algorithm: 'ed25519' });
    const key = await vault.generate(null);
    await expect(vault.attest(key, randomBytes(16))).rejects.toMatchObject({
      kind: 'not_supported',
      message: expect.stringContaining('proves neither that the seed was ever under it') as string,
    });
  });
});
