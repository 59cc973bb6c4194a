import { generateKeyPairSync } from 'node:crypto';
import {
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { kidOf } from '../../src/algorithms/kid.ts';
import { auditRecords } from '../support/audit-chain.ts';
import { Daemon, type Ended } from '../support/daemon.ts';
import { until } from '../support/faulty-agent.ts';
import { ForeignCa, newKey, verifiesByItsBytes } from '../support/foreign-ca.ts';

const cluster = '[cluster]\ndomain = "prod.example"\n';
const times = { issued: '2026-01-01T00:00:00Z', expires: '2099-01-01T00:00:00.123456789+00:00' };

let daemon: Daemon;
beforeEach(() => {
  daemon = new Daemon();
});
afterEach(async () => {
  await daemon.remove();
});

interface Certificate {
  readonly active_kid: string;
  readonly issued_at: string;
  readonly expires_at: string;
}
interface Shown {
  readonly ca_kid: string;
  readonly ca_public_key_b64: string;
  readonly certificate: Certificate | null;
}

const caFile = (): string => join(daemon.stateDir, 'cluster-ca.key');
const start = (configuration = cluster): Promise<Daemon> =>
  daemon.start('--config', daemon.config(configuration));
const file = (name: string, text: string): string => {
  const path = join(daemon.folder, name);
  writeFileSync(path, text);
  return path;
};
async function json<T>(...args: string[]): Promise<T> {
  const { code, out, err } = await daemon.agentctl(['--json', ...args]);
  expect({ code, err }).toEqual({ code: 0, err: '' });
  return JSON.parse(out) as T;
}
const show = (): Promise<Shown> => json<Shown>('ca', 'show');
const verifyText = (text: string, ...flags: string[]): Promise<Ended> =>
  daemon.agentctl(['ca', 'verify', '-', ...flags], text);

/** As a program of keystore version 1 does it: what it does not know it drops. Answers the new kid. */
function rotateAsAnother(keystore: string): string {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  const { d = '' } = privateKey.export({ format: 'jwk' });
  const { x = '' } = publicKey.export({ format: 'jwk' });
  const id = kidOf(Buffer.from(x, 'base64url'));
  interface Keystore {
    readonly keys: readonly Record<string, string>[];
    readonly active: string;
    readonly retired_grace_until?: Readonly<Record<string, string>>;
  }
  const { keys, active, retired_grace_until } = JSON.parse(
    readFileSync(keystore, 'utf8'),
  ) as Keystore;
  const created_at = new Date().toISOString();
  const until = new Date(Date.now() + 3_600_000).toISOString();
  const next = {
    version: 1,
    keys: [...keys, { id, seed_b64: d, created_at }],
    active: id,
    retired_grace_until: { ...retired_grace_until, [active]: until },
  };
  writeFileSync(`${keystore}.tmp`, JSON.stringify(next), { mode: 0o600 });
  renameSync(`${keystore}.tmp`, keystore);
  return id;
}

describe('the commands', () => {
  test('show, issue, verify and bundle; a verifier of its own agrees to the byte', async () => {
    await start();
    const ca = await show();
    expect(ca).toMatchObject({
      cluster_domain: 'prod.example',
      ...{ backend: 'file', protection: 'software', keyring: 'default' },
    });
    const people = await daemon.agentctl(['ca', 'show']);
    expect(people.out).toMatch(new RegExp(`^CA +${ca.ca_kid}$`, 'm'));
    expect(people.out).toMatch(/^expires +in 36[45]d/m);

    const issued = await daemon.agentctl(['ca', 'issue', '--validity', '30d']);
    expect(issued).toMatchObject({ code: 0, err: '' });
    const text = issued.out.trimEnd();
    expect(verifiesByItsBytes(text, ca.ca_public_key_b64)).toBe(true);
    const { issued_at, expires_at, active_kid } = JSON.parse(text) as Certificate;
    expect(Date.parse(expires_at) - Date.parse(issued_at)).toBe(30 * 86_400_000);
    expect((await show()).certificate).toEqual(JSON.parse(text));

    const path = join(daemon.folder, 'signer.cert');
    const written = await daemon.agentctl(['ca', 'issue', '--out', path]);
    expect(written.out).toContain(`certificate of key ${active_kid} for prod.example written to`);
    expect(verifiesByItsBytes(readFileSync(path, 'utf8').trimEnd(), ca.ca_public_key_b64)).toBe(
      true,
    );
    const verified = await daemon.agentctl(['ca', 'verify', path]);
    expect(verified).toMatchObject({ code: 0, err: '' });
    expect(verified.out).toMatch(new RegExp(`^valid: key ${active_kid} of prod\\.example`));

    const bundle = join(daemon.folder, 'prod.bundle');
    await daemon.agentctl(['ca', 'bundle', '--out', bundle]);
    const piped = await daemon.agentctl(['ca', 'bundle']);
    const members = Object.keys(JSON.parse(piped.out) as object);
    const names = ['v', 'cluster_domain', 'ca_public_key_b64', 'ca_kid', 'generated_at'];
    expect(members).toEqual(names);
    expect(await daemon.stop()).toBe(0);
    // Without an agent from here on.
    expect(await verifyText(text, '--bundle', bundle)).toMatchObject({ code: 0 });
    expect(await verifyText(text, '--ca-public-key', ca.ca_public_key_b64)).toMatchObject({
      code: 0,
    });
    expect(await verifyText(text)).toMatchObject({ code: 3 });
  });

  test('verify says which rule is broken, with an exit code of its own', async () => {
    await start();
    const { out: text } = await daemon.agentctl(['ca', 'issue']);
    const { out: bundle } = await daemon.agentctl(['ca', 'bundle']);
    const here = file('here.bundle', bundle);
    const other = new ForeignCa('other.example');
    const there = file('there.bundle', other.bundle('2026-05-14T17:55:00Z'));
    const expired = other.certify(newKey(), { ...times, expires: '2026-01-02T00:00:00Z' });
    const elsewhere = other.certify(newKey(), { ...times, domain: 'third.example' });
    const cases: [string, string, string[]][] = [
      ['form', '{', []],
      ['form', text.replace('"v":1', '"v":2'), []],
      ['form', '\xff', ['--bundle', here]],
      ['signature', text.replace('prod.', 'dev.'), []],
      ['signature', other.certify(newKey(), times), []],
      ['signature', text, ['--bundle', there]],
      ['signature', text, ['--ca-public-key', other.publicKeyB64]],
      ['expired', expired, ['--bundle', there]],
      ['domain', elsewhere, ['--bundle', there]],
    ];
    for (const [rule, given, flags] of cases) {
      const people = await verifyText(given, ...flags);
      expect(people, rule).toMatchObject({ code: 5, err: '' });
      expect(people.out).toMatch(new RegExp(`^not valid: ${rule}: .+\\n$`));
      const machine = await verifyText(given, '--json', ...flags);
      expect(JSON.parse(machine.out), rule).toMatchObject({ valid: false, rule });
    }
    const foreign = other.certify(newKey(), times);
    expect(await verifyText(foreign, '--bundle', there)).toMatchObject({ code: 0 });
    const both = ['--bundle', there, '--ca-public-key', other.publicKeyB64];
    expect(await verifyText(foreign, ...both)).toMatchObject({ code: 2 });
    expect(await verifyText(foreign, '--ca-public-key', 'nothing')).toMatchObject({ code: 2 });
    expect(await verifyText(foreign, '--bundle', file('no.bundle', '{}'))).toMatchObject({
      code: 2,
    });
    expect(await daemon.agentctl(['ca', 'issue', '--validity', '0s'])).toMatchObject({ code: 2 });
  });

  test('without a [cluster] there is no CA, and none is made', async () => {
    await start('');
    for (const words of [['show'], ['issue'], ['bundle'], ['verify', '-']]) {
      const ended = await daemon.agentctl(['ca', ...words], '{}');
      expect(ended.code).toBe(1);
      expect(ended.err).toContain('this agent is in no cluster: give it a [cluster]');
    }
    expect(existsSync(caFile())).toBe(false);
    expect(await json('status')).toMatchObject({ cluster: null });
  });
});

describe('an agent with the CA of another program', () => {
  test('goes on with it: what that program signed verifies here, and is recorded', async () => {
    const ca = new ForeignCa('prod.example');
    mkdirSync(daemon.stateDir, { mode: 0o700 });
    writeFileSync(caFile(), ca.seed, { mode: 0o600 });
    await start(`${cluster}[audit]\n`);
    expect(await show()).toMatchObject({ ca_kid: ca.kid, ca_public_key_b64: ca.publicKeyB64 });
    expect(await verifyText(ca.certify(newKey(), times))).toMatchObject({ code: 0 });
    const { certificate } = await show();
    expect(verifiesByItsBytes(JSON.stringify(certificate), ca.publicKeyB64)).toBe(true);
    expect(readFileSync(caFile())).toEqual(ca.seed);
    const audited = readFileSync(join(daemon.stateDir, 'audit', '000001.jsonl'), 'utf8');
    const records = audited
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as object);
    for (const [method, keyring] of [
      ['first_key', 'cluster-ca'],
      ['ca_issue', 'default'],
    ]) {
      for (const outcome of ['begun', 'done']) {
        expect(records).toContainEqual(expect.objectContaining({ method, keyring, outcome }));
      }
    }
  });
});

describe('a rotation', () => {
  test('by hand has its certificate when it is answered; a revoked key has none', async () => {
    await start();
    const before = (await show()).certificate?.active_kid ?? '';
    const { out: text } = await daemon.agentctl(['ca', 'issue']);
    const { new_active_kid } = await json<{ new_active_kid: string }>('keys', 'rotate');
    expect((await show()).certificate?.active_kid).toBe(new_active_kid);
    expect(await verifyText(text)).toMatchObject({ code: 0 });
    await json('keys', 'revoke', before, '--yes');
    const revoked = await verifyText(text);
    expect(revoked).toMatchObject({
      code: 5,
      out: `not valid: revoked: its key ${before} is revoked\n`,
    });
  });

  test('by schedule too', async () => {
    await start(
      `${cluster}[keyrings.default.rotation]\nevery = "3s"\nprepublish = "1s"\ngrace = "1m"\n`,
    );
    const ca = await show();
    const first = ca.certificate?.active_kid;
    expect(first).toBeDefined();
    await until('a rotation', async () => (await show()).certificate?.active_kid !== first);
    const { certificate } = await show();
    expect(verifiesByItsBytes(JSON.stringify(certificate), ca.ca_public_key_b64)).toBe(true);
    const { certificate: again } = await json<{ certificate: Certificate }>('ca', 'issue');
    const life = Date.parse(again.expires_at) - Date.parse(again.issued_at);
    expect(life).toBeGreaterThanOrEqual(60_000);
    expect(life).toBeLessThanOrEqual(63_000);
  });
});

describe('a rotation by another program', () => {
  test('is followed by a federated token at once: the certificate is issued for it', async () => {
    await start();
    const keystore = join(daemon.stateDir, 'keyrings', 'default.json');
    const claims = file(
      'claims.json',
      JSON.stringify({
        api_endpoint: 'https://leader:3669',
        raft_endpoint: '10.0.0.1:3670',
        leader_wg_pubkey: 'wg',
        overlay_cidr: '10.42.0.0/16',
        iss: 'leader',
      }),
    );
    for (let rotation = 0; rotation < 5; rotation += 1) {
      const kid = rotateAsAnother(keystore);
      const minted = await daemon.agentctl([
        '--json',
        'join-token',
        'mint',
        '--claims',
        claims,
        '--federated',
      ]);
      expect(minted).toMatchObject({ code: 0, err: '' });
      const { token, kid: by } = JSON.parse(minted.out) as { token: string; kid: string };
      expect(by).toBe(kid);
      expect((await daemon.agentctl(['join-token', 'verify', '-'], token)).code).toBe(0);
    }
  });
});

describe('a CA that is refused', () => {
  test('when it was lost: the agent signs, says so, and goes on with it once it is back', async () => {
    await start();
    const { ca_kid: kid } = await show();
    await daemon.stop();
    const copy = readFileSync(caFile());
    unlinkSync(caFile());
    await start();
    expect(daemon.log).toContainEqual(
      expect.objectContaining({ level: 'error', keyring: 'cluster-ca' }),
    );
    expect((await daemon.agentctl(['sign'], 'x')).code).toBe(0);
    expect((await daemon.agentctl(['keys', 'rotate'])).code).toBe(0);
    const shown = await daemon.agentctl(['ca', 'show']);
    expect(shown.code).toBe(1);
    expect(shown.err).toMatch(new RegExp(`the cluster CA, ${kid} of .*, is lost`));
    expect(existsSync(caFile())).toBe(false);
    const { out: status } = await daemon.agentctl(['status']);
    expect(status).toMatch(/^ {2}CA +none known \(file\)$/m);
    expect(status).toMatch(/^ {2}last error +backend_unavailable: the key of the cluster CA/m);
    expect(status).toMatch(/^ {2}certificates +backend_unavailable: /m);
    writeFileSync(caFile(), copy, { mode: 0o600 });
    const active = await json<{ keyrings: { active_kid: string }[] }>('status');
    await until('the certificate', async () => {
      const { code, out } = await daemon.agentctl(['--json', 'ca', 'show']);
      const { certificate } = code === 0 ? (JSON.parse(out) as Shown) : { certificate: null };
      return certificate?.active_kid === active.keyrings[0]?.active_kid;
    });
  });

  test('for good: it is forgotten, and another one made for all to trust anew', async () => {
    const audited = `${cluster}[audit]\nfsync = false\n`;
    await start(audited);
    const { ca_kid: old } = await show();
    const { out: certificate } = await daemon.agentctl(['ca', 'issue']);
    const oldBundle = file('old.bundle', (await daemon.agentctl(['ca', 'bundle'])).out);
    const forget = (kid: string, ...flags: string[]): Promise<Ended> =>
      daemon.agentctl(['ca', 'forget', kid, ...flags]);

    // There is nobody to ask; it is another one; its key could be used again.
    expect(await forget(old)).toMatchObject({
      code: 2,
      err: expect.stringMatching(/--yes/) as string,
    });
    const other = await forget('00000000', '--yes');
    expect(other).toMatchObject({
      code: 1,
      err: expect.stringContaining(`is ${old}, not`) as string,
    });
    const there = await forget(old, '--yes');
    expect(there.code).toBe(1);
    expect(there.err).toContain(`${caFile()} has key ${old}. Move that away`);
    expect((await show()).ca_kid).toBe(old);

    const kept = join(daemon.folder, 'kept.key');
    renameSync(caFile(), kept);
    const lost = await daemon.agentctl(['ca', 'issue']);
    expect(lost.code).toBe(1);
    await daemon.stop();
    await start(audited);
    const shown = await daemon.agentctl(['ca', 'show']);
    expect(shown.err).toContain(`agentctl ca forget ${old}`);

    const done = await forget(old, '--yes');
    expect(done).toMatchObject({ code: 0, err: '' });
    const { ca_kid: now, certificate: issued } = await show();
    expect(now).not.toBe(old);
    expect(done.out).toContain(`the cluster CA is ${now} now`);
    expect(issued).not.toBeNull();
    // What it cannot undo: whoever trusts the old one believes its certificates.
    expect((await verifyText(certificate, '--bundle', oldBundle)).code).toBe(0);
    expect((await verifyText(certificate)).code).toBe(5);
    expect((await forget(old, '--yes')).code).toBe(1);
    await daemon.stop();
    const recorded = auditRecords(join(daemon.stateDir, 'audit')).filter(
      ({ method, subject }) => method === 'ca_forget' && subject === `CA ${old}`,
    );
    expect(recorded.map(({ outcome, kid }) => [outcome, kid])).toEqual([
      ...[
        ['begun', null],
        ['failed', null],
      ],
      ...[
        ['begun', null],
        ['done', now],
      ],
      ...[
        ['begun', null],
        ['refused', null],
      ],
    ]);
  });

  test('when its file has another length, and doctor says the same', async () => {
    mkdirSync(daemon.stateDir, { mode: 0o700 });
    writeFileSync(caFile(), Buffer.alloc(33), { mode: 0o600 });
    await start();
    expect((await daemon.agentctl(['sign'], 'x')).code).toBe(0);
    const words = /cluster-ca\.key has 33 bytes, and a key is exactly 32/;
    expect((await daemon.agentctl(['ca', 'bundle'])).err).toMatch(words);
    const config = join(daemon.folder, 'agent.toml');
    const where = ['--config', config, '--state-dir', daemon.stateDir];
    const { code, out } = await daemon.agentctl(['doctor', ...where]);
    expect(code).toBe(1);
    expect(out).toMatch(/^failure +cluster CA +.*cluster-ca\.key has 33 bytes/m);
  });
});

describe('a keyring is never given the key of the CA', () => {
  /** The CA's file is looked at, and nothing of it is changed. */
  const refused = async (path: string): Promise<void> => {
    const before = statSync(caFile());
    const config = daemon.config(`${cluster}[keyrings.default]\n[keyrings.x]\npath = "${path}"\n`);
    const ended = await daemon.refusedStart('--config', config);
    expect(ended.code).toBe(2);
    expect(ended.err).toContain('keyrings.x.path: that is the key of the cluster CA');
    const where = ['--config', config, '--state-dir', daemon.stateDir];
    const restored = await daemon.agentctl(
      ['restore', '--keyring', 'x', ...where, '--identity', '/dev/null', '/dev/null'],
      '',
    );
    expect(restored.code).not.toBe(0);
    const { out } = await daemon.agentctl(['doctor', ...where]);
    expect(out).toContain('that is the key of the cluster CA');
    const { ino, mtimeMs, size } = statSync(caFile());
    expect({ ino, mtimeMs, size }).toEqual({ ino: before.ino, mtimeMs: before.mtimeMs, size: 32 });
  };

  test('by its name, through .. and a linked directory, or as a hard link', async () => {
    await start();
    await daemon.stop();
    await refused(caFile());
    await refused('cluster-ca.key');
    await refused('keyrings/../cluster-ca.key');
    const linked = join(daemon.folder, 'linked');
    symlinkSync(daemon.stateDir, linked);
    await refused(join(linked, 'cluster-ca.key'));
    const soft = join(daemon.stateDir, 'keyrings', 'soft.json');
    symlinkSync(caFile(), soft);
    await refused(soft);
    const hard = join(daemon.stateDir, 'keyrings', 'x.json');
    linkSync(caFile(), hard);
    await refused(hard);
    unlinkSync(hard);
    expect(readdirSync(daemon.stateDir)).toContain('cluster-ca.key');
  });

  test('nor before there is one', async () => {
    const linked = join(daemon.folder, 'linked');
    mkdirSync(daemon.stateDir, { mode: 0o700 });
    symlinkSync(daemon.stateDir, linked);
    const path = join(linked, 'cluster-ca.key');
    const config = daemon.config(`[keyrings.default]\npath = "${path}"\n`);
    const ended = await daemon.refusedStart('--config', config);
    expect(ended.code).toBe(2);
    expect(ended.err).toContain('that is the key of the cluster CA');
    expect(existsSync(path)).toBe(false);
  });
});
