import {
  appendFileSync,
  chmodSync,
  cpSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Caller } from '../../src/access/caller.ts';
import { AppendFile, type LinesFile } from '../../src/audit/append-file.ts';
import type { AuditEvent } from '../../src/audit/audit.ts';
import { AuditLog } from '../../src/audit/audit-log.ts';
import { ChainWriter } from '../../src/audit/chain-writer.ts';
import { emptyChain } from '../../src/audit/chain/chain.ts';
import { openAuditLog } from '../../src/agent/configured-audit-log.ts';
import { RecordSigner } from '../../src/audit/record-signer.ts';
import { AgentError } from '../../src/base/errors.ts';
import type { Keyring } from '../../src/keyring/keyring.ts';
import { openKeyring } from '../../src/keyring/open-keyring.ts';
import { ensurePrivateDir } from '../../src/files/checked-dir.ts';
import { FileKeystore } from '../../src/vault/file/keystore.ts';
import type { World } from '../../src/base/world.ts';
import { auditFiles, auditLines, auditRecords, verdictOf } from '../support/audit-chain.ts';
import { capturedLog } from '../support/captured-log.ts';
import { Clock, worldWith } from '../support/world.ts';
import { openLibc } from '../../src/native/libc.ts';
import { noLedgers } from '../support/ledgers.ts';
import { refusalOf } from '../support/refusal.ts';

const lockedError = new AgentError('locked', 'keyring default is locked');
const diskFull = Object.assign(new Error('ENOSPC: no space left on device, write'), {
  code: 'ENOSPC',
});

let folder: string;
let dir: string;
let clock: Clock;
let world: World;
let logged: Record<string, unknown>[];
let timers: { at: number; act: () => void }[];
let keyring: Keyring;
/** What the log signs with; throws where it is locked. */
let signing: () => Keyring;
let opened: AuditLog[];

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'audit-'));
  dir = join(folder, 'audit');
  clock = new Clock();
  timers = [];
  opened = [];
  const captured = capturedLog();
  logged = captured.lines;
  world = { ...worldWith(clock), schedule, log: captured.log };
  const keystore = new FileKeystore(join(folder, 'default.json'), world);
  const parts = { name: 'default', vault: keystore, store: keystore, world, rotation: null };
  keyring = await openKeyring(parts);
  signing = () => keyring;
});
afterEach(async () => {
  for (const log of opened) await log.stop();
  await keyring.close();
  rmSync(folder, { recursive: true });
});

/** Timers that go off when the clock is moved by `wait`. */
function schedule(milliseconds: number, act: () => void): () => void {
  const timer = { at: clock.monotonicNow() + milliseconds, act };
  timers.push(timer);
  return () => {
    timers = timers.filter((one) => one !== timer);
  };
}

function wait(seconds: number): void {
  clock.advance(seconds);
  const due = timers.filter(({ at }) => at <= clock.monotonicNow());
  timers = timers.filter((timer) => !due.includes(timer));
  for (const { act } of due) act();
}

/** Beside the log's directory. */
const jwksCopyOf = (): string => join(dir, '..', 'copies', 'audit-jwks.json');

function open(more: { maxFileBytes?: number } = {}): AuditLog {
  const settings = { dir, fsync: true, maxFileBytes: 1 << 20, keyring: 'default', ...more };
  const known = { ...noLedgers.log, jwksCopyPath: jwksCopyOf() };
  const log = openAuditLog(settings, () => signing(), world, known, openLibc());
  opened.push(log);
  return log;
}

async function started(more: { maxFileBytes?: number } = {}): Promise<AuditLog> {
  const log = open(more);
  await log.start();
  return log;
}

interface FaultyDisk {
  failure: Error | null;
  /** What is urgent is written all the same. */
  hasReserve: boolean;
}

/** A log on a disk of which `disk.failure` says whether it works. */
async function onFaultyDisk(): Promise<{ log: AuditLog; disk: FaultyDisk }> {
  ensurePrivateDir(dir);
  const disk: FaultyDisk = { failure: null, hasReserve: false };
  const signer = new RecordSigner({
    keyring: () => signing(),
    dir,
    copyPath: jwksCopyOf(),
    world,
  });
  const openFile = (): LinesFile => {
    const path = join(dir, '000001.jsonl');
    const options = { size: 0, durable: true, replacesRest: false, allocate: null };
    const file = new AppendFile(path, options);
    return {
      path,
      get size() {
        return file.size;
      },
      append: (bytes, isUrgent) =>
        disk.failure === null || (isUrgent && disk.hasReserve)
          ? file.append(bytes, isUrgent)
          : Promise.reject(disk.failure),
      secureNext: () => file.secureNext(),
      close: () => {
        file.close();
      },
    };
  };
  const maxFileBytes = 1 << 20;
  const writer = new ChainWriter({
    head: emptyChain,
    number: 1,
    needsHead: false,
    maxFileBytes,
    openFile,
    signer,
    written: () => undefined,
    now: world.now,
  });
  const log = new AuditLog({ dir, durable: true, repaired: null, writer, signer, world });
  opened.push(log);
  await log.start();
  return { log, disk };
}

const ids = { uid: 1000, gid: 1000, pid: 4242, groups: [] };
const peer = { kind: 'process' as const, ...ids, name: 'ci', executable: '/bin/ci' };
const caller = new Caller(peer);

function event(more: Partial<AuditEvent> = {}): AuditEvent {
  return {
    caller,
    principal: { kind: 'user', name: 'ci', uid: 1000, pid: 4242, scope: 'app' },
    method: 'sign',
    keyring: 'default',
    kid: '0a1b2c3d',
    messages: [Buffer.from('a message')],
    subject: null,
    outcome: 'done',
    kind: null,
    reason: null,
    of: null,
    ...more,
  };
}

const events = (): string[] => auditRecords(dir).map((record) => record.event);

describe('the audit log', () => {
  test('has a record on disk when it says so, in a chain that verifies', async () => {
    const log = await started();
    expect(await log.record(event())).toBe(2);
    expect(auditRecords(dir)[1]).toMatchObject({
      event: 'operation',
      uid: 1000,
      pid: 4242,
      user: 'ci',
      api_key: null,
      exe_best_effort: '/bin/ci',
      scope: 'app',
      message_sha256: ['f53c09ca39717a45c62d9aca8f8113eddbfd5f81dcab0b33b1c1834075225e68'],
    });
    await log.stop();
    expect(verdictOf(dir, 'final')).toMatchObject({ valid: true, unsignedTail: 0 });
    expect(events()).toEqual(['started', 'operation', 'stopped']);
    expect(statSync(join(dir, '000001.jsonl')).mode & 0o777).toBe(0o600);
  });

  test('goes on where it ended, and keeps what many write at once in their order', async () => {
    await (await started()).stop();
    const log = await started();
    const written = Array.from({ length: 500 }, (_, at) =>
      log.record(event({ subject: `number ${at}` })),
    );
    expect(await Promise.all(written)).toEqual(written.map((_, at) => at + 4));
    const subjects = auditRecords(dir).flatMap(({ subject }) => subject ?? []);
    expect(subjects).toEqual(written.map((_, at) => `number ${at}`));
    await log.stop();
    expect(verdictOf(dir, 'final').valid).toBe(true);
    expect(log.status()).toMatchObject({ health: 'ok', last_seq: 504 });
  });

  test('names every client key that a backup is for', async () => {
    const log = await started();
    const keys = Array.from({ length: 20 }, (_, at) => `ck_${String(at).padStart(32, '0')}`);
    await log.record(event({ method: 'backup', subject: keys.join(',') }));
    expect(auditRecords(dir).at(-1)?.subject?.split(',')).toEqual(keys);
  });

  test('names the API key that a caller has, or was refused for', async () => {
    const log = await started();
    const principal = { kind: 'api_key', name: 'farm', uid: 1000, pid: 4242 } as const;
    await log.record(event({ principal: { ...principal, scope: 'app', api_key: 'farm' } }));
    const refused = new Caller(peer);
    refused.credential = { id: 'gone', hash: Buffer.alloc(32) };
    const kind = 'unauthenticated';
    await log.record(event({ caller: refused, principal: null, outcome: 'refused', kind }));
    await log.record(event({ caller: null, principal: null, method: 'rotate' }));
    expect(auditRecords(dir).map(({ api_key, scope }) => [api_key, scope])).toEqual([
      [null, null],
      ['farm', 'app'],
      ['gone', null],
      [null, null],
    ]);
  });

  test('has no uid and no pid of a caller that is no process of this machine', async () => {
    const log = await started();
    const address = '192.0.2.7:52114';
    const principal = {
      kind: 'network',
      name: address,
      uid: null,
      pid: null,
      scope: 'none',
    } as const;
    const network = new Caller({ kind: 'network', address, scope: 'none' });
    const kind = 'forbidden';
    await log.record(event({ caller: network, principal, outcome: 'refused', kind }));
    const unknown = { uid: null, pid: null, user: null, api_key: null, exe_best_effort: null };
    const refusal = { ...unknown, scope: 'none', outcome: 'refused', kind };
    expect(auditRecords(dir).at(-1)).toMatchObject(refusal);
    await log.stop();
    expect(verdictOf(dir, 'final')).toMatchObject({ valid: true, unsignedTail: 0 });
  });

  test('cuts what callers may write as long as they like', async () => {
    const log = await started();
    await log.record(event({ keyring: 'k'.repeat(100_000), reason: 'r'.repeat(100_000) }));
    expect(auditLines(dir).at(-1)?.length).toBeLessThan(2500);
    for (const executable of ['/'.repeat(201), '/é'.repeat(200), '\u0001'.repeat(200)]) {
      await log.record(event({ caller: new Caller({ ...peer, executable }), principal: null }));
      const { exe_best_effort: path } = auditRecords(dir).at(-1) ?? {};
      expect(path).toMatch(/…$/);
      expect(JSON.stringify(path).length).toBeLessThanOrEqual(202);
    }
    expect(verdictOf(dir).valid).toBe(true);
  });

  test('begins another file when one is full, and goes on in it after a restart', async () => {
    const maxFileBytes = 16 * 1024;
    let log = await started({ maxFileBytes });
    for (let at = 0; at < 100; at += 1) await log.record(event());
    await Promise.all(Array.from({ length: 100 }, () => log.record(event())));
    await log.stop();
    log = await started({ maxFileBytes });
    await log.record(event());
    await log.stop();
    const files = auditFiles(dir).map((path) => path.slice(-12));
    expect(files.length).toBeGreaterThan(5);
    expect(files).toEqual(files.map((_, at) => `00000${at + 1}.jsonl`));
    for (const path of auditFiles(dir)) expect(statSync(path).size).toBeLessThan(17 * 1024);
    const verdict = verdictOf(dir, 'final');
    expect(verdict.problems).toEqual([]);
    expect(verdict.warnings).toEqual([]);
    expect(verdict.records).toBe(201 + 4 + (files.length - 1) * 2);
  });

  test('that ended with a full file begins the next one', async () => {
    const maxFileBytes = 16 * 1024;
    const log = await started({ maxFileBytes });
    while (events().at(-1) !== 'closed') await log.record(event());
    // As a kill leaves it: nothing was written after that.
    const copy = join(folder, 'copy');
    cpSync(dir, copy, { recursive: true });
    await log.stop();
    rmSync(dir, { recursive: true });
    renameSync(copy, dir);
    await (await started({ maxFileBytes })).stop();
    expect(events().slice(-4)).toEqual(['closed', 'continued', 'started', 'stopped']);
    expect(verdictOf(dir, 'final').valid).toBe(true);
  });
});

describe('signatures of the log itself', () => {
  test('say why where there are none', async () => {
    signing = () => {
      throw lockedError;
    };
    const log = await started();
    expect(auditRecords(dir)[0]).toMatchObject({
      event: 'started',
      signer: null,
      signature: '',
      reason: 'not signed: keyring default is locked',
    });
    await log.record(event());
    wait(600);
    expect(events()).toEqual(['started', 'operation']);
    signing = () => keyring;
    wait(600);
    await log.record(event());
    expect(events()).toEqual(['started', 'operation', 'checkpoint', 'operation']);
    expect(verdictOf(dir)).toMatchObject({ valid: true, signedThrough: 3 });
  });

  test('stand at the latest behind ten thousand records', async () => {
    const log = await started({ maxFileBytes: 1 << 24 });
    await Promise.all(Array.from({ length: 10_500 }, () => log.record(event())));
    const checkpoints = auditRecords(dir).filter((record) => record.event === 'checkpoint');
    expect(checkpoints.map(({ seq }) => seq)).toEqual([10_002]);
    expect(verdictOf(dir)).toMatchObject({ valid: true, signedThrough: 10_002 });
  });

  test('are by the key that is active then, and every one of them is published', async () => {
    const first = await started();
    const kids = [keyring.activeKid()];
    await keyring.rotate(0);
    kids.push(keyring.activeKid());
    clock.advance(1);
    await keyring.pruneExpiredGrace();
    await first.stop();
    const second = await started();
    await second.stop();
    expect(verdictOf(dir, 'final')).toMatchObject({ valid: true, signers: kids });
  });

  test('what is recorded before the keyrings are open stands behind an unsigned start', async () => {
    signing = () => {
      throw lockedError;
    };
    const log = open();
    await log.record(event({ caller: null, principal: null, method: 'first_key' }));
    signing = () => keyring;
    await log.start();
    expect(events()).toEqual(['started', 'operation', 'checkpoint']);
    expect(verdictOf(dir)).toMatchObject({ valid: true, unsignedTail: 0 });
  });

  test('are by a key that is published where another one stands under its id', async () => {
    await (await started()).stop();
    const path = join(dir, 'jwks.json');
    const { keys } = JSON.parse(readFileSync(path, 'utf8')) as { keys: { x: string }[] };
    const [own] = keys;
    const taken = { ...own, x: Buffer.alloc(32, 1).toString('base64url') };
    writeFileSync(path, JSON.stringify({ keys: [taken] }));
    await (await started()).stop();
    expect(JSON.parse(readFileSync(path, 'utf8'))).toEqual({ keys: [taken, own] });
    expect(verdictOf(dir, 'final').valid).toBe(true);
  });

  test('a jwks.json that is none is not replaced', async () => {
    await (await started()).stop();
    writeFileSync(join(dir, 'jwks.json'), '[]');
    await expect(started()).rejects.toThrow('jwks.json is not a JWK Set');
  });
});

describe('a disk that is full', () => {
  test('refuses everything, and goes on by itself when it is not', async () => {
    const { log, disk } = await onFaultyDisk();
    await log.record(event({ subject: 'before' }));
    disk.failure = diskFull;
    const calls = ['a', 'b', 'c'].map((subject) => refusalOf(log.record(event({ subject }))));
    for (const refusal of await Promise.all(calls)) {
      expect(refusal.kind).toBe('audit_unavailable');
      expect(refusal.details).toEqual({ retry_after_ms: 1000 });
      expect(refusal.message).toContain(`${dir} cannot be written (ENOSPC)`);
    }
    expect(() => {
      log.requireReady();
    }).toThrow('free space on that file system');
    expect(log.status()).toMatchObject({
      health: 'unavailable',
      last_seq: 2,
      last_error: { at: '2026-05-14T17:55:00.000Z' },
    });

    wait(1);
    await new Promise(setImmediate);
    expect((await refusalOf(log.record(event()))).kind).toBe('audit_unavailable');
    disk.failure = null;
    wait(1);
    await backAgain(log);
    expect(await log.record(event({ subject: 'after' }))).toBe(4);
    expect(log.status().health).toBe('ok');
    expect(auditRecords(dir).map((record) => [record.event, record.subject])).toEqual([
      ['started', null],
      ['operation', 'before'],
      ['resumed', null],
      ['operation', 'after'],
    ]);
    expect(auditRecords(dir)[2]?.repeated).toBe(5);
    expect(verdictOf(dir).valid).toBe(true);
    const errors = logged.filter(({ level }) => level === 50);
    expect(errors).toHaveLength(1);
  });

  test('goes on where nobody calls, and the timer is a little early by the other clock', async () => {
    const { log, disk } = await onFaultyDisk();
    disk.failure = diskFull;
    await refusalOf(log.record(event()));
    disk.failure = null;
    clock.advance(0.98);
    for (const { act } of timers.filter(({ at }) => at <= clock.monotonicNow() + 20)) act();
    await backAgain(log);
    expect(events()).toEqual(['started', 'resumed']);
  });

  test('what was done and must be written stands before everything else', async () => {
    const { log, disk } = await onFaultyDisk();
    const of = await log.record(event({ method: 'rotate', outcome: 'begun' }));
    disk.failure = diskFull;
    await log.recordSurely(event({ method: 'rotate', outcome: 'done', of }));
    await log.recordSurely(event({ method: 'revoke', outcome: 'done' }));
    await refusalOf(log.record(event()));
    disk.failure = null;
    wait(1);
    await backAgain(log);
    expect(auditRecords(dir).map(({ method }) => method)).toEqual([
      null,
      'rotate',
      'rotate',
      'revoke',
      null,
    ]);
    expect(events().at(-1)).toBe('resumed');
  });

  test('from the very start: the agent starts, and what it has to say first comes first', async () => {
    const { log, disk } = await onFaultyDisk();
    disk.failure = diskFull;
    await refusalOf(log.record(event()));
    await log.start();
    expect(log.status().health).toBe('unavailable');
    disk.failure = null;
    await log.stop();
    expect(events()).toEqual(['started', 'resumed', 'stopped']);
  });

  test('what takes something back is written into the space held in reserve, and nothing else', async () => {
    const { log, disk } = await onFaultyDisk();
    disk.hasReserve = true;
    disk.failure = diskFull;
    await refusalOf(log.record(event()));
    const begun = event({ method: 'revoke', outcome: 'begun', isUrgent: true });
    const calls = [log.record(begun), log.record(begun)];
    const [of = 0] = await Promise.all(calls);
    await log.recordSurely(event({ method: 'revoke', outcome: 'done', of, isUrgent: true }));
    expect((await refusalOf(log.record(event()))).kind).toBe('audit_unavailable');
    expect(log.status().health).toBe('unavailable');
    // The end of it is on its way, and waits for no timer.
    while (auditRecords(dir).length < 4) await new Promise(setImmediate);
    disk.hasReserve = false;
    expect((await refusalOf(log.record(begun))).kind).toBe('audit_unavailable');
    disk.failure = null;
    wait(1);
    await backAgain(log);
    expect(auditRecords(dir).map((record) => [record.event, record.outcome, record.of])).toEqual([
      ['started', null, null],
      ['operation', 'begun', null],
      ['operation', 'begun', null],
      ['operation', 'done', of],
      ['resumed', null, null],
    ]);
    expect(verdictOf(dir).valid).toBe(true);
  });

  test('what comes while something urgent is being written is not lost', async () => {
    const { log, disk } = await onFaultyDisk();
    disk.hasReserve = true;
    disk.failure = diskFull;
    await refusalOf(log.record(event()));
    const begun = event({ method: 'revoke', outcome: 'begun', isUrgent: true });
    const written = [log.record(begun), log.record(begun), log.record(begun)];
    for (let turn = 0; turn < 20; turn += 1) {
      await log.recordSurely(event({ method: 'rotate', subject: `rotation ${turn}` }));
      await new Promise(setImmediate);
    }
    await Promise.all(written);
    disk.failure = null;
    wait(1);
    await backAgain(log);
    const subjects = auditRecords(dir).flatMap(({ subject }) => subject ?? []);
    expect(subjects).toEqual(Array.from({ length: 20 }, (_, turn) => `rotation ${turn}`));
    expect(auditRecords(dir).filter(({ method }) => method === 'revoke')).toHaveLength(3);
  });

  test('at the end: what must be written goes to the log of the agent', async () => {
    const { log, disk } = await onFaultyDisk();
    disk.failure = diskFull;
    await log.recordSurely(event({ method: 'revoke', subject: 'x', of: 1 }));
    await log.stop();
    expect(logged.at(-1)).toMatchObject({
      level: 50,
      record: { event: 'operation', uid: 1000, method: 'revoke', of: 1 },
    });
    expect(events()).toEqual(['started']);
    expect((await refusalOf(log.record(event()))).kind).toBe('shutting_down');
  });

  /** Resolves when it can be written: what comes then waits for nobody. */
  async function backAgain(log: AuditLog): Promise<void> {
    while (log.status().health !== 'ok') await new Promise(setImmediate);
  }
});

describe('refusals', () => {
  const forbidden = { outcome: 'refused', kind: 'forbidden' } as const;

  test('that are equal are counted beyond sixty a minute', async () => {
    const log = await started();
    await Promise.all(Array.from({ length: 85 }, () => log.record(event(forbidden))));
    expect(auditRecords(dir)).toHaveLength(61);
    wait(60);
    await log.record(event({ subject: 'next' }));
    expect(auditRecords(dir).slice(-2)).toMatchObject([
      { outcome: 'refused', kind: 'forbidden', repeated: 25, message_sha256: [] },
      { outcome: 'done', repeated: null },
    ]);
    expect(auditRecords(dir).slice(1, 61)).toSatisfy((records: { repeated: unknown }[]) =>
      records.every(({ repeated }) => repeated === null),
    );
  });

  test('that are counted are written where none follows them', async () => {
    const log = await started();
    await log.record(event(forbidden));
    wait(30);
    const others = { ...forbidden, method: 'rotate' } as const;
    await Promise.all(Array.from({ length: 61 }, () => log.record(event(others))));
    for (let second = 0; second < 30; second += 1) wait(1);
    await log.record(event({ subject: 'next' }));
    expect(auditRecords(dir).slice(-2)).toMatchObject([
      { outcome: 'refused', method: 'rotate', repeated: 2 },
      { subject: 'next' },
    ]);
  });

  test('that are counted are written when the agent stops', async () => {
    const log = await started();
    await Promise.all(Array.from({ length: 62 }, () => log.record(event(forbidden))));
    await log.stop();
    expect(auditRecords(dir).at(-2)?.repeated).toBe(2);
    expect(verdictOf(dir, 'final').valid).toBe(true);
  });
});

describe('the end of the log', () => {
  test('waits for changes that were begun', async () => {
    const log = await started();
    const of = await log.record(event({ method: 'rotate', outcome: 'begun' }));
    const stopped = log.stop();
    expect((await refusalOf(log.record(event()))).kind).toBe('shutting_down');
    await log.recordSurely(event({ method: 'rotate', of }));
    await stopped;
    expect(auditRecords(dir).map((record) => [record.event, record.of])).toEqual([
      ['started', null],
      ['operation', null],
      ['operation', 2],
      ['stopped', null],
    ]);
  });
});

describe('what a kill leaves', () => {
  /** A log of three records and `started`, as if the agent had been killed. */
  async function killed(): Promise<string> {
    const log = await started();
    for (let at = 0; at < 3; at += 1) await log.record(event({ subject: String(at) }));
    const path = join(dir, '000001.jsonl');
    const content = readFileSync(path);
    await log.stop();
    writeFileSync(path, content);
    return path;
  }

  test('no stopped: the chain goes on', async () => {
    await killed();
    await (await started()).stop();
    expect(events().slice(-3)).toEqual(['operation', 'started', 'stopped']);
    expect(verdictOf(dir, 'final').valid).toBe(true);
  });

  test.each([1, 40, 200, 399])('a last line of which %d bytes are missing', async (missing) => {
    const path = await killed();
    truncateSync(path, statSync(path).size - missing);
    const torn = readFileSync(path, 'latin1').split('\n').at(-1) ?? '';
    await (await started()).stop();
    expect(events().slice(-4)).toEqual(['operation', 'repaired', 'started', 'stopped']);
    expect(auditRecords(dir).at(-3)?.reason).toContain(`${torn.length} bytes of a torn last line`);
    expect(verdictOf(dir, 'final')).toMatchObject({ valid: true, unsignedTail: 0 });
    expect(readdirSync(dir).sort()).toEqual(['000001.jsonl', 'jwks.json']);
  });

  test('more rest than the record of the repair is long', async () => {
    const path = await killed();
    appendFileSync(path, Buffer.alloc(10_000));
    await (await started()).stop();
    expect(auditRecords(dir).at(-3)).toMatchObject({ event: 'repaired' });
    expect(auditRecords(dir).at(-3)?.reason).toContain('10000 bytes');
    expect(verdictOf(dir, 'final').valid).toBe(true);
  });

  test('a first line that is torn', async () => {
    const path = await killed();
    truncateSync(path, 100);
    await (await started()).stop();
    expect(events()).toEqual(['repaired', 'started', 'stopped']);
    expect(verdictOf(dir, 'final').valid).toBe(true);
  });

  test('a kill within the repair loses nothing of it', async () => {
    const path = await killed();
    appendFileSync(path, 'x'.repeat(5000));
    const copy = readFileSync(path);
    await (await started()).stop();
    const repaired = readFileSync(path);
    // The record of the repair was written over the rest, and what was behind it not cut off yet.
    const line = repaired.indexOf('"event":"repaired"');
    const end = repaired.indexOf('\n', line) + 1;
    writeFileSync(path, Buffer.concat([repaired.subarray(0, end), copy.subarray(end)]));
    await (await started()).stop();
    expect(events().slice(-4)).toEqual(['repaired', 'repaired', 'started', 'stopped']);
    expect(verdictOf(dir, 'final').valid).toBe(true);
  });

  test('an empty file', async () => {
    const path = await killed();
    truncateSync(path, 0);
    await (await started()).stop();
    expect(events()).toEqual(['started', 'stopped']);
  });
});

describe('a log that is not in order is refused, and left as it is', () => {
  async function written(records: number, maxFileBytes = 1 << 20): Promise<void> {
    const log = await started({ maxFileBytes });
    for (let at = 0; at < records; at += 1) await log.record(event({ subject: String(at) }));
    await log.stop();
  }

  function edit(change: (lines: string[]) => string[]): void {
    const path = join(dir, '000001.jsonl');
    writeFileSync(path, change(readFileSync(path, 'utf8').split('\n')).join('\n'));
  }

  const edits: readonly (readonly [string, number, (lines: string[]) => string[]])[] = [
    [
      'an edited record',
      4,
      (lines) => lines.map((line) => line.replace('"subject":"1"', '"subject":"8"')),
    ],
    ['a record that was taken out', 3, (lines) => lines.filter((_, at) => at !== 2)],
    ['two that changed places', 2, ([a = '', b = '', c = '', ...rest]) => [a, c, b, ...rest]],
    ['a record twice', 3, ([a = '', b = '', ...rest]) => [a, b, b, ...rest]],
    ['a line that is none', 2, ([a = '', ...rest]) => [a, 'hello', ...rest]],
    [
      'a last line that is whole and no record',
      6,
      (lines) => [...lines.slice(0, -1), '{"v":1}', ''],
    ],
    ['no first record', 1, (lines) => lines.slice(1)],
  ];
  test.each(edits)('%s', async (_name, line, change) => {
    await written(3);
    edit(change);
    const before = readFileSync(join(dir, '000001.jsonl'), 'utf8');
    const refusal = await refusalOf(started());
    expect(refusal.message).toContain(`000001.jsonl, line ${line},`);
    expect(refusal.message).toContain(
      'have what is left of it put aside and begin a new one knowingly',
    );
    expect(readFileSync(join(dir, '000001.jsonl'), 'utf8')).toBe(before);
    expect(readdirSync(dir).sort()).toEqual(['000001.jsonl', 'jwks.json']);
  });

  test('a file that does not go on from the one before', async () => {
    await written(100, 16 * 1024);
    const [first = ''] = auditFiles(dir);
    const [last = ''] = auditFiles(dir).slice(-2);
    writeFileSync(last, readFileSync(first));
    expect((await refusalOf(started())).message).toMatch(/00000\d\.jsonl, line 1, does not follow/);
  });

  test('files that were moved away are not missed', async () => {
    await written(100, 16 * 1024);
    const files = auditFiles(dir);
    for (const path of files.slice(0, -1)) rmSync(path);
    await (await started()).stop();
    expect(auditFiles(dir)).toEqual(files.slice(-1));
    expect(verdictOf(dir, 'final').valid).toBe(true);
  });

  test('rights, owner and kind of file are looked at', async () => {
    await written(1);
    const path = join(dir, '000001.jsonl');
    chmodSync(path, 0o644);
    await expect(started()).rejects.toThrow('has mode 0644: run chmod 600');
    chmodSync(path, 0o600);
    renameSync(path, join(folder, 'elsewhere'));
    symlinkSync(join(folder, 'elsewhere'), path);
    await expect(started()).rejects.toThrow('is a symbolic link');
    rmSync(path);
    chmodSync(dir, 0o755);
    await expect(started()).rejects.toThrow('has mode 0755: run chmod 700');
    chmodSync(dir, 0o700);
  });
});

describe('a file that somebody else touches while the agent runs', () => {
  const path = (): string => join(dir, '000001.jsonl');

  test.each([
    [
      'is written to',
      'was written to by somebody else',
      () => {
        appendFileSync(path(), 'x\n');
      },
    ],
    [
      'is removed',
      'was removed',
      () => {
        rmSync(path());
      },
    ],
    [
      'is moved away',
      'was removed or moved away',
      () => {
        renameSync(path(), join(folder, 'moved'));
      },
    ],
    [
      'is replaced by a copy',
      'is another file now',
      () => {
        cpSync(path(), join(folder, 'copy'));
        renameSync(join(folder, 'copy'), path());
      },
    ],
    [
      'is cut',
      'was written to by somebody else',
      () => {
        truncateSync(path(), 100);
      },
    ],
  ])('%s: that is no log to write to', async (_name, why, touch) => {
    const log = await started();
    await log.record(event());
    touch();
    const refusal = await refusalOf(log.record(event()));
    expect(refusal.kind).toBe('audit_unavailable');
    expect(refusal.message).toContain(why);
  });

  test('what was written is not taken back by the one who cut it', async () => {
    const log = await started();
    await log.record(event());
    const content = readFileSync(path());
    truncateSync(path(), 100);
    await refusalOf(log.record(event()));
    wait(1);
    while (log.status().last_error?.message.includes('has lost some') !== true) {
      await new Promise(setImmediate);
    }
    writeFileSync(path(), content);
    wait(1);
    while (log.status().health !== 'ok') await new Promise(setImmediate);
    await log.stop();
    expect(verdictOf(dir, 'final').valid).toBe(true);
  });
});
