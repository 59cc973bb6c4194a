import { randomBytes } from 'node:crypto';
import { generateX25519Identity, identityToRecipient } from 'age-encryption';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { AlgorithmName } from '../../src/api/signing-backend.ts';
import type { VaultKey } from '../../src/vault/vault.ts';
import { startSwtpm, type Swtpm } from '../support/swtpm.ts';
import { tpmKeyringOf, type TpmKeyringRig, type TpmVaultChoices } from '../support/tpm-keyring.ts';
import { refusalOf } from '../support/refusal.ts';
import { expectSigns } from '../support/expect-signs.ts';

/** How the key of a keyring is sealed, and what becomes of it. Each test has a TPM of its own. */

let tpm: Swtpm;
beforeEach(async () => {
  tpm = await startSwtpm();
});
afterEach(() => tpm.remove());

const keyring = (name: string): TpmKeyringRig => tpmKeyringOf(tpm, name);

/** A keyring with one key, closed. */
async function made(ring: TpmKeyringRig, choices: TpmVaultChoices): Promise<VaultKey> {
  const vault = await ring.open(choices);
  const key = await vault.generate(null);
  await expectSigns(vault, key);
  await ring.close();
  return key;
}

/** As a firmware update or a machine that starts another program does. */
const changePcr = (pcr: number): Promise<string> =>
  tpm.tools('tpm2_pcrextend', `${pcr}:sha256=${randomBytes(32).toString('hex')}`);

describe.each<AlgorithmName>(['es256', 'ed25519'])('a PIN, %s', (algorithm) => {
  it('opens the keys, and another does not', async () => {
    const ring = keyring('pin');
    const choices = { algorithm, pin: 'correct horse' };
    const key = await made(ring, choices);
    const error = await refusalOf(ring.open({ ...choices, pin: 'wrong' }));
    expect(error.kind).toBe('locked');
    expect(error.message).toContain('the TPM refused the PIN');
    await expectSigns(await ring.open(choices), key);
  });

  it('may be longer than the TPM takes', async () => {
    const ring = keyring('long');
    const choices = { algorithm, pin: 'x'.repeat(200) };
    const key = await made(ring, choices);
    const shorter = { ...choices, pin: 'x'.repeat(199) };
    expect((await refusalOf(ring.open(shorter))).kind).toBe('locked');
    await expectSigns(await ring.open(choices), key);
  });

  it('that was given is not passed over, nor is one that is missing', async () => {
    const ring = keyring('both');
    await made(ring, { algorithm, pin: '1234' });
    const missing = await refusalOf(ring.open({ algorithm }));
    expect(missing.kind).toBe('locked');
    expect(missing.message).toContain('is sealed with a PIN');
    const other = keyring('without');
    await made(other, { algorithm });
    const surplus = await refusalOf(other.open({ algorithm, pin: '1234' }));
    expect(surplus.kind).toBe('backend_unavailable');
    expect(surplus.message).toContain('is sealed without a PIN');
    expect(surplus.message).toContain('agentctl keys reseal --keyring without');
  });
});

describe('wrong PINs', () => {
  it('lock the TPM, which says the command that ends it', async () => {
    await tpm.tools('tpm2_dictionarylockout', '--setup-parameters', '--max-tries=2');
    const ring = keyring('lockout');
    const key = await made(ring, { pin: '1234' });
    const messages: string[] = [];
    for (let attempt = 0; attempt < 3; attempt += 1) {
      const error = await refusalOf(ring.open({ pin: 'wrong' }));
      expect(error.kind).toBe('locked');
      messages.push(error.message);
    }
    expect(messages[0]).toContain('the TPM refused the PIN');
    expect(messages[2]).toContain('in lockout');
    expect(messages[2]).toContain('tpm2_dictionarylockout --clear-lockout');
    const right = await refusalOf(ring.open({ pin: '1234' }));
    expect(right.message).toContain('in lockout');
    await tpm.tools('tpm2_dictionarylockout', '--clear-lockout');
    await expectSigns(await ring.open({ pin: '1234' }), key);
  });

  it('of other programs do not keep a keyring without a PIN from its keys', async () => {
    await tpm.tools('tpm2_dictionarylockout', '--setup-parameters', '--max-tries=1');
    const [open, closed] = [keyring('open'), keyring('closed')];
    const key = await made(open, {});
    await made(closed, { pin: '1234' });
    await refusalOf(closed.open({ pin: 'wrong' }));
    expect((await refusalOf(closed.open({ pin: '1234' }))).message).toContain('in lockout');
    const vault = await open.open();
    await expectSigns(vault, key);
    await expectSigns(vault, await vault.generate(null));
  });
});

describe.each<AlgorithmName>(['es256', 'ed25519'])('PCRs, %s', (algorithm) => {
  it('open the keys as long as they have their values, with a PIN and without', async () => {
    for (const pin of [null, '1234']) {
      const ring = keyring(`pcrs${pin ?? ''}`);
      const choices = { algorithm, pcrs: [7, 11], pin };
      const key = await made(ring, choices);
      await expectSigns(await ring.open(choices), key);
      await ring.close();
      await changePcr(11);
      const error = await refusalOf(ring.open(choices));
      expect(error.kind).toBe('backend_unavailable');
      expect(error.message).toContain('PCR 7, 11 of the TPM have other values');
      await tpm.restart();
      await expectSigns(await ring.open(choices), key);
      await ring.close();
    }
  });

  it('that the configuration has and the sealed key has not are not passed over', async () => {
    const ring = keyring('other');
    await made(ring, { algorithm });
    const error = await refusalOf(ring.open({ algorithm, pcrs: [7] }));
    expect(error.message).toContain('is sealed to no PCRs, and the configuration says PCR 7');
  });
});

describe.each<AlgorithmName>(['es256', 'ed25519'])('sealing anew, %s', (algorithm) => {
  it('changes PIN and PCRs, and the keys stay', async () => {
    const ring = keyring('reseal');
    const key = await made(ring, { algorithm, pin: 'old', pcrs: [7] });
    const done = await ring.reseal(
      { by: 'device', pin: Buffer.from('old') },
      { pin: 'new', pcrs: [7, 8] },
    );
    expect(done).toMatchObject({
      before: { pcrs: [7], pin: true },
      after: { pcrs: [7, 8], pin: true },
      moved: false,
    });
    expect((await refusalOf(ring.open({ algorithm, pin: 'old', pcrs: [7, 8] }))).kind).toBe(
      'locked',
    );
    await expectSigns(await ring.open({ algorithm, pin: 'new', pcrs: [7, 8] }), key);
    await ring.reseal({ by: 'device', pin: Buffer.from('new') }, {});
    await expectSigns(await ring.open({ algorithm }), key);
  });

  it('cut off before the new one is in place, leaves the one before, and can be repeated', async () => {
    const ring = keyring('cut');
    const identity = await generateX25519Identity();
    const recovery = await identityToRecipient(identity);
    const key = await made(ring, { algorithm, pin: 'old' });
    const reached: string[] = [];
    const cut = (step: string): void => {
      reached.push(step);
      if (step === 'tpm/reseal-noted') throw new Error('cut off');
    };
    const anew = (testPoint?: typeof cut): Promise<unknown> =>
      ring.reseal(
        { by: 'device', pin: Buffer.from('old') },
        { pin: 'new', pcrs: [7] },
        { recovery, ...(testPoint === undefined ? {} : { testPoint }) },
      );
    await expect(anew(cut)).rejects.toThrow('cut off');
    expect(reached).toEqual(['tpm/reseal-noted']);
    await expectSigns(await ring.open({ algorithm, pin: 'old', recovery }), key);
    await anew();
    await expectSigns(await ring.open({ algorithm, pin: 'new', pcrs: [7], recovery }), key);
    await ring.close();
    await changePcr(7);
    await ring.reseal({ by: 'identity', identities: [identity] }, { pin: 'new', pcrs: [7] });
    await expectSigns(await ring.open({ algorithm, pin: 'new', pcrs: [7], recovery }), key);
  });

  it('with a wrong PIN, or none where one is needed, changes nothing', async () => {
    const ring = keyring('refused');
    const key = await made(ring, { algorithm, pin: 'old' });
    const before = ring.read('keyring-key.pem');
    for (const pin of [Buffer.from('wrong'), null]) {
      expect((await refusalOf(ring.reseal({ by: 'device', pin }, { pin: 'new' }))).kind).toBe(
        'locked',
      );
    }
    expect(ring.read('keyring-key.pem')).toBe(before);
    await expectSigns(await ring.open({ algorithm, pin: 'old' }), key);
  });

  it('with the recovery identity brings the keys back after the PCRs changed for good', async () => {
    const ring = keyring('recovery');
    const identity = await generateX25519Identity();
    const recovery = await identityToRecipient(identity);
    const choices = { algorithm, pcrs: [7], recovery };
    const key = await made(ring, choices);
    await changePcr(7);
    const error = await refusalOf(ring.open(choices));
    expect(error.message).toContain('agentctl keys reseal --keyring recovery --identity FILE');
    const stranger = [await generateX25519Identity()];
    expect((await refusalOf(ring.reseal({ by: 'identity', identities: stranger }, {}))).kind).toBe(
      'invalid_params',
    );
    await ring.reseal({ by: 'identity', identities: [identity] }, { pcrs: [7] });
    await expectSigns(await ring.open(choices), key);
  });

  it('says where there is no recovery recipient, at the making and when it is wanted', async () => {
    const ring = keyring('none');
    await made(ring, { algorithm, pcrs: [7] });
    expect(ring.logged).toContainEqual(
      expect.objectContaining({
        msg: expect.stringContaining('has no recovery recipient') as string,
      }),
    );
    await changePcr(7);
    const error = await refusalOf(ring.open({ algorithm, pcrs: [7] }));
    expect(error.message).toContain('there is no recovery recipient');
    expect((await refusalOf(ring.reseal({ by: 'identity', identities: [] }, {}))).kind).toBe(
      'not_found',
    );
  });
});

describe('another TPM', () => {
  it('is not given anything, and seeds come back to it by the recovery identity alone', async () => {
    const ring = keyring('moved');
    const identity = await generateX25519Identity();
    const recovery = await identityToRecipient(identity);
    const choices = { algorithm: 'ed25519', pin: '1234', recovery } as const;
    const key = await made(ring, choices);
    await tpm.tools('tpm2_clear', '-c', 'p');
    const error = await refusalOf(ring.open(choices));
    expect(error.kind).toBe('backend_unavailable');
    expect(error.message).toContain('are of another TPM, or this one was cleared since');
    const done = await ring.reseal({ by: 'identity', identities: [identity] }, { pin: '5678' });
    expect(done.moved).toBe(true);
    await expectSigns(await ring.open({ ...choices, pin: '5678' }), key);
  });

  it('is known by its storage root key, where device.json was lost too', async () => {
    const ring = keyring('lost');
    const key = await made(ring, {});
    const device = ring.read('device.json');
    ring.delete('device.json');
    await expectSigns(await ring.open(), key);
    await ring.close();
    expect(ring.read('device.json')).toBe(device);
    ring.delete('device.json');
    await tpm.tools('tpm2_clear', '-c', 'p');
    expect((await refusalOf(ring.open())).message).toContain('TPM_RC_INTEGRITY');
  });
});

describe('a persistent storage root key', () => {
  const persist = async (): Promise<void> => {
    await tpm.tools(
      'tpm2_createprimary',
      ...['-C', 'o', '-g', 'sha256', '-G', 'ecc256:aes128cfb', '-c', 'srk.ctx'],
      ...['-a', 'fixedtpm|fixedparent|sensitivedataorigin|userwithauth|noda|restricted|decrypt'],
    );
    await tpm.tools('tpm2_evictcontrol', '-C', 'o', '-c', 'srk.ctx', '0x81000001');
  };

  it('is used where there is one, and the one before stays that of older keys', async () => {
    const [before, after] = [keyring('before'), keyring('after')];
    const old = await made(before, {});
    await persist();
    const young = await made(after, {});
    expect(after.read('device.json')).toContain(`"parent": 2164260865`);
    expect(before.read('device.json')).toContain(`"parent": 1073741825`);
    await expectSigns(await before.open(), old);
    await before.close();
    await expectSigns(await after.open(), young);
  });

  it('that is gone is named', async () => {
    await persist();
    const ring = keyring('evicted');
    await made(ring, {});
    await tpm.tools('tpm2_evictcontrol', '-C', 'o', '-c', '0x81000001');
    const error = await refusalOf(ring.open());
    expect(error.message).toContain(
      'a storage root key at 0x81000001, which the TPM does not have',
    );
  });

  it('of another kind is not used', async () => {
    await tpm.tools('tpm2_createprimary', '-C', 'o', '-G', 'rsa2048', '-c', 'rsa.ctx');
    await tpm.tools('tpm2_evictcontrol', '-C', 'o', '-c', 'rsa.ctx', '0x81000001');
    const ring = keyring('rsa');
    const key = await made(ring, {});
    expect(ring.read('device.json')).toContain(`"parent": 1073741825`);
    await expectSigns(await ring.open(), key);
  });

  it('is what a TPM needs whose owner has a password, and then there is no seal', async () => {
    await tpm.tools('tpm2_changeauth', '-c', 'o', 'owner-password');
    const ring = keyring('owned');
    const error = await refusalOf(ring.open());
    expect(error.kind).toBe('backend_unavailable');
    expect(error.message).toContain('tpm2_evictcontrol -C o -P OWNER-PASSWORD');
    await tpm.tools('tpm2_changeauth', '-c', 'o', '-p', 'owner-password');
    await persist();
    await tpm.tools('tpm2_changeauth', '-c', 'o', 'owner-password');
    const vault = await ring.open();
    await expectSigns(vault, await vault.generate(null));
    const refusal = await refusalOf(vault.sealStore.write({ key: randomBytes(32), counter: 0 }));
    expect(refusal.kind).toBe('not_supported');
    expect(refusal.message).toContain('its owner has set a password');
    expect(await vault.sealStore.read()).toBeNull();
  });
});

describe('the counter of the seal', () => {
  it('that somebody removed is missing, and one in its place is foreign', async () => {
    const ring = keyring('counter');
    const { sealStore } = await ring.open();
    await sealStore.write({ key: randomBytes(32), counter: 0 });
    await ring.close();
    const index = (JSON.parse(ring.read('device.json')) as { counter_index: number }).counter_index;
    const handle = `0x${index.toString(16)}`;
    await tpm.tools('tpm2_nvundefine', '-C', 'o', handle);
    expect(await (await ring.open()).sealStore.read()).toBeNull();
    await ring.close();
    await tpm.tools(
      'tpm2_nvdefine',
      '-C',
      'o',
      '-a',
      'nt=counter|authread|authwrite|no_da',
      handle,
    );
    const error = await refusalOf((await ring.open()).sealStore.read());
    expect(error.kind).toBe('backend_unavailable');
    expect(error.message).toContain(
      `NV index ${handle} of the TPM is not the counter of this keyring`,
    );
  });

  it('is one, however often a start is cut off before it is used', async () => {
    const ring = keyring('cut');
    for (const step of ['tpm/counter-noted', 'tpm/counter-defined']) {
      const testPoint = (at: string): void => {
        if (at === step) throw new Error(`cut off at ${step}`);
      };
      const { sealStore } = await ring.open({ testPoint });
      await expect(sealStore.write({ key: randomBytes(32), counter: 0 })).rejects.toThrow(
        'cut off',
      );
      await ring.close();
    }
    const { sealStore } = await ring.open();
    const key = randomBytes(32);
    await sealStore.write({ key, counter: 0 });
    expect(await sealStore.read()).toEqual({ key, counter: 0 });
    await ring.close();
    const listed = await tpm.tools('tpm2_getcap', 'handles-nv-index');
    expect(listed.match(/0x18[0-9A-F]+|0x19[0-9A-F]+|0x1A[0-9A-F]+|0x1B[0-9A-F]+/g)).toHaveLength(
      1,
    );
  });
});

describe('a sealed key that is missing', () => {
  it('is not made anew beside keys that need it', async () => {
    const ring = keyring('gone');
    await made(ring, { algorithm: 'ed25519' });
    const sealed = ring.read('keyring-key.pem');
    ring.delete('keyring-key.pem');
    const error = await refusalOf(ring.open({ algorithm: 'ed25519' }));
    expect(error.message).toContain('keyring-key.pem is missing, and there are keys that need it');
    ring.write('keyring-key.pem', sealed);
    await ring.open({ algorithm: 'ed25519' });
  });

  it('of another keyring is told, and a start that was cut off before it is done again', async () => {
    const [one, two] = [keyring('one'), keyring('two')];
    await made(one, { algorithm: 'ed25519' });
    const key = await made(two, { algorithm: 'ed25519' });
    const own = two.read('keyring-key.pem');
    two.write('keyring-key.pem', one.read('keyring-key.pem'));
    const error = await refusalOf(two.open({ algorithm: 'ed25519' }));
    expect(error.message).toContain("has another key than this keyring's");
    two.write('keyring-key.pem', own);
    await expectSigns(await two.open({ algorithm: 'ed25519' }), key);
    await two.close();
    const cut = keyring('cut');
    const testPoint = (step: string): void => {
      if (step === 'tpm/device-noted') throw new Error('cut off');
    };
    await expect(cut.open({ testPoint })).rejects.toThrow('cut off');
    expect(cut.files()).toEqual(['device.json']);
    await made(cut, {});
  });
});
