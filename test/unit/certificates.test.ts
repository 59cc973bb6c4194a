import { beforeEach, describe, expect, test } from 'vitest';
import type { CaCert } from '../../src/api/cluster.ts';
import type { CaKey } from '../../src/cluster/ca-key.ts';
import type {
  CaRecord,
  CaRecords,
  CertificateStore,
  IssuedCertificate,
} from '../../src/cluster/ca-records.ts';
import { Certificates } from '../../src/cluster/certificates.ts';
import { openCaKey } from '../../src/cluster/open-ca-key.ts';
import { AgentError } from '../../src/base/errors.ts';
import type { ChangeJournal } from '../../src/keyring/change-journal.ts';
import type { Keyring } from '../../src/keyring/keyring.ts';
import { openKeyring } from '../../src/keyring/open-keyring.ts';
import type { RotationPolicy } from '../../src/keyring/rotation-schedule.ts';
import { verifiesByItsBytes } from '../support/foreign-ca.ts';
import { MemoryStore, MemoryVault } from '../support/memory-keyring.ts';
import { Clock, worldWith } from '../support/world.ts';

const policy = { everySeconds: 3600, prepublishSeconds: 600, graceSeconds: 60 };
const year = 365 * 24 * 3600;
const iso = (ms: number): string => new Date(ms).toISOString();

/** Records and certificates in memory. */
class MemoryRecords implements CaRecords, CertificateStore {
  record: CaRecord | null = null;
  certificates: IssuedCertificate[] = [];
  failure: AgentError | null = null;

  read(): CaRecord | null {
    return this.record;
  }

  async write(record: CaRecord): Promise<void> {
    await Promise.resolve();
    this.record = record;
  }

  list(): readonly IssuedCertificate[] {
    return this.certificates.toReversed();
  }

  async add(certificate: IssuedCertificate): Promise<void> {
    await Promise.resolve();
    if (this.failure !== null) throw this.failure;
    this.certificates.push(certificate);
  }

  async remove(certificates: readonly IssuedCertificate[]): Promise<void> {
    await Promise.resolve();
    const texts = certificates.map(({ text }) => text);
    this.certificates = this.certificates.filter(({ text }) => !texts.includes(text));
  }
}

let clock: Clock;
let caVault: MemoryVault;
let records: MemoryRecords;
let keyringVault: MemoryVault;
/** What the CA throws while it is not open. */
let closed: AgentError | null;
let journaled: string[];
let keyring: Keyring;
let certificates: Certificates;

beforeEach(() => {
  clock = new Clock();
  caVault = new MemoryVault();
  records = new MemoryRecords();
  keyringVault = new MemoryVault();
  closed = null;
  journaled = [];
});

async function start(rotation: RotationPolicy | null = null): Promise<void> {
  const world = worldWith(clock);
  const ca: CaKey = await openCaKey({
    vault: caVault,
    records,
    where: 'memory',
    madeAt: () => null,
    world,
  });
  const journal: ChangeJournal = {
    begin: ({ method }) => {
      const note = (end: string): Promise<void> => {
        if (method === 'ca_issue') journaled.push(end);
        return Promise.resolve();
      };
      return Promise.resolve({
        done: (kid) => note(`done ${kid ?? ''}`),
        failed: () => note('failed'),
      });
    },
  };
  keyring = await openKeyring({
    name: 'default',
    vault: keyringVault,
    store: new MemoryStore(),
    world,
    rotation,
    changed: () => certificates.issueMissing({ atOnce: true }),
  });
  certificates = new Certificates({
    domain: 'prod.example',
    keyring: { name: 'default', open: () => keyring },
    graceSeconds: rotation?.graceSeconds ?? 0,
    ca: () => {
      if (closed !== null) throw closed;
      return ca;
    },
    kept: () => ({ ca: records, certificates: records }),
    journal,
    world,
  });
  await issueMissing();
}

const issueMissing = (): Promise<void> => certificates.issueMissing({ atOnce: true });
const later = (): Promise<void> => certificates.issueMissing({ atOnce: false });
const kidOfActive = (): string => keyring.activeKid();

function certificateOf(kid: string): CaCert {
  const certificate = certificates.certificateFor(kid);
  if (certificate === null) throw new Error(`key ${kid} has no certificate`);
  return certificate;
}

describe('rotated by hand', () => {
  test('the active key is certified for 365 days, byte for byte as the format says', async () => {
    await start();
    const certificate = certificateOf(kidOfActive());
    expect(certificate).toMatchObject({
      active_kid: kidOfActive(),
      active_pubkey_b64: await keyring.publicKeyB64(kidOfActive()),
      issued_at: iso(clock.now()),
      expires_at: iso(clock.now() + year * 1000),
      cluster_domain: 'prod.example',
    });
    const [kept] = records.list();
    const ca = Buffer.from(records.record?.key?.publicKey ?? []).toString('base64url');
    expect(verifiesByItsBytes(kept?.text ?? '', ca)).toBe(true);
    expect(journaled).toEqual([`done ${kidOfActive()}`]);
  });

  test('a rotation has its certificate when it is answered, and nothing is issued twice', async () => {
    await start();
    const before = kidOfActive();
    const { new_active_kid } = await keyring.rotate(3600);
    expect(certificateOf(new_active_kid).active_kid).toBe(new_active_kid);
    expect(certificateOf(before).active_kid).toBe(before); // in grace
    await issueMissing();
    await issueMissing();
    expect(records.certificates).toHaveLength(2);
    clock.advance(3600);
    expect(certificates.certificateFor(before)).toBeNull();
    await issueMissing();
    expect(records.certificates.map(({ kid }) => kid)).toEqual([new_active_kid]);
  });

  test('a prepared key is certified before it is activated', async () => {
    await start();
    const { kid } = await keyring.prepare();
    const certificate = certificateOf(kid);
    await keyring.rotate(60);
    expect(kidOfActive()).toBe(kid);
    expect(certificateOf(kid)).toEqual(certificate);
  });

  test('a revoked key is shown no more, and its certificates are gone', async () => {
    await start();
    const revoked = kidOfActive();
    const { new_active_kid = '' } = await keyring.revoke(revoked);
    expect(certificates.certificateFor(revoked)).toBeNull();
    expect(records.certificates.map(({ kid }) => kid)).toEqual([new_active_kid]);
  });

  test('in the last tenth of its validity it is issued anew, once', async () => {
    await start();
    const kid = kidOfActive();
    const first = certificateOf(kid);
    clock.advance(0.9 * year - 1);
    await later();
    expect(certificateOf(kid)).toEqual(first);
    clock.advance(1);
    await later();
    const second = certificateOf(kid);
    expect(second.expires_at).toBe(iso(clock.now() + year * 1000));
    clock.advance(1);
    await later();
    expect(certificateOf(kid)).toEqual(second);
    expect(records.certificates).toHaveLength(1); // the newer one stands in for the older one
  });
});

describe('rotated by schedule', () => {
  const life = (policy.everySeconds + policy.graceSeconds) * 1000;

  test('a certificate holds for what remains of the life of its key, and its grace', async () => {
    await start(policy);
    const made = clock.now();
    expect(certificateOf(kidOfActive()).expires_at).toBe(iso(made + life));
    clock.advance(1000);
    expect((await certificates.issue(null)).expires_at).toBe(iso(made + life));
    expect((await certificates.issue(90)).expires_at).toBe(iso(clock.now() + 90_000));
  });

  test('the next key is certified as it is prepared, for its own life', async () => {
    await start(policy);
    const [before, made] = [kidOfActive(), clock.now()];
    clock.advance(3040); // the jitter is 36 s at most
    await keyring.upkeep();
    const prepared = keyring.keysInUse().find(({ status }) => status === 'prepared')?.kid ?? '';
    const end = made + policy.everySeconds * 1000;
    expect(certificateOf(prepared)).toMatchObject({
      issued_at: iso(clock.now()),
      expires_at: iso(end + life),
    });
    clock.advance(600);
    await keyring.upkeep();
    expect(kidOfActive()).toBe(prepared);
    expect(certificateOf(prepared).active_kid).toBe(prepared);
    expect(certificateOf(before).expires_at).toBe(iso(made + life));
    expect(certificates.lastFailure).toBeNull();
  });

  test('near its end a certificate is not issued again for the same end', async () => {
    await start(policy);
    clock.advance(3590);
    for (let looks = 0; looks < 5; looks += 1) await later();
    expect(records.certificates).toHaveLength(1);
  });

  test('a key whose rotation is overdue has a certificate all the same', async () => {
    await start(policy);
    keyringVault.fails = 'generate';
    keyringVault.failure = new AgentError('backend_unavailable', 'the token is full');
    clock.advance(policy.everySeconds + 2 * policy.graceSeconds);
    await keyring.upkeep();
    await later();
    const expires = iso(clock.now() + policy.graceSeconds * 1000);
    expect(certificateOf(kidOfActive()).expires_at).toBe(expires);
  });

  test('with a short grace too, from one look to the next', async () => {
    const short = { everySeconds: 3600, prepublishSeconds: 600, graceSeconds: 3 };
    await start(short);
    keyringVault.fails = 'generate';
    keyringVault.failure = new AgentError('backend_unavailable', 'the token is full');
    clock.advance(short.everySeconds);
    await later();
    for (let looks = 0; looks < 5; looks += 1) {
      clock.advance(2);
      expect(certificates.certificateFor(kidOfActive())).not.toBeNull();
      await later();
    }
  });
});

describe('the CA fails', () => {
  const away = new AgentError('backend_unavailable', 'the token of the CA is away');

  test('and the rotation does not: what is missing is said, and done later', async () => {
    await start();
    caVault.fails = 'sign';
    caVault.failure = away;
    const { new_active_kid: kid } = await keyring.rotate(60);
    expect(kidOfActive()).toBe(kid);
    expect(certificates.certificateFor(kid)).toBeNull();
    expect(certificates.lastFailure).toEqual({
      kind: 'backend_unavailable',
      message: 'the token of the CA is away',
      at: iso(clock.now()),
    });
    await later(); // too soon: what is begun is recorded each time
    expect(journaled.filter((end) => end === 'failed')).toHaveLength(1);
    caVault.fails = null;
    clock.advance(2);
    await later();
    expect(certificateOf(kid).active_kid).toBe(kid);
    expect(certificates.lastFailure).toBeNull();
  });

  test('while it is not open nothing is begun, and its reason is the failure', async () => {
    await start();
    closed = new AgentError('locked', 'keyring cluster-ca is locked');
    const { new_active_kid: kid } = await keyring.rotate(60);
    for (let looks = 0; looks < 3; looks += 1) await later();
    expect(certificates.lastFailure).toMatchObject({ kind: 'locked' });
    expect(journaled).toHaveLength(1);
    await expect(certificates.issue(null)).rejects.toBe(closed);
    closed = null;
    await later();
    expect(certificateOf(kid).active_kid).toBe(kid);
  });

  test('or the database: nothing that was not kept is answered', async () => {
    await start();
    records.failure = new AgentError('backend_unavailable', 'the disk is full');
    await expect(certificates.issue(5)).rejects.toBe(records.failure);
    records.failure = null;
    expect(records.certificates).toHaveLength(1);
  });
});

describe('what is kept and does not hold', () => {
  test('of another domain, or by another CA, is not used, and issued anew', async () => {
    await start();
    const { text } = records.list()[0] ?? { text: '' };
    for (const foreign of [
      text.replace('prod.example', 'old.example'),
      text.replace(/(?<="sig_by_ca":")./, (first) => (first === '_' ? '-' : '_')),
    ]) {
      records.certificates = [{ kid: kidOfActive(), text: foreign }];
      expect(certificates.certificateFor(kidOfActive())).toBeNull();
      await issueMissing();
      expect(records.list()).toHaveLength(1);
      expect(records.list()[0]?.text).not.toBe(foreign);
    }
  });

  test('a clock that is set back revives none', async () => {
    await start();
    await certificates.issue(60);
    clock.advance(61);
    const long = certificateOf(kidOfActive());
    expect(long.expires_at).not.toBe(iso(clock.now() - 1000));
    clock.set(-3600);
    expect(certificateOf(kidOfActive())).toEqual(long);
  });

  test('the newest that holds goes before one that holds for longer', async () => {
    await start();
    const long = certificateOf(kidOfActive());
    clock.advance(1);
    const short = await certificates.issue(60);
    expect(certificateOf(kidOfActive())).toEqual(short);
    clock.advance(60);
    expect(certificateOf(kidOfActive())).toEqual(long);
  });
});
