import { execFileSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { appendFileSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { auditFiles, auditRecords, verdictOf } from '../support/audit-chain.ts';
import { Daemon } from '../support/daemon.ts';
import { until } from '../support/faulty-agent.ts';
import { LineClient } from '../support/line-client.ts';

let daemon: Daemon;
let dir: string;
let clients: LineClient[];
beforeEach(() => {
  daemon = new Daemon();
  dir = join(daemon.stateDir, 'audit');
  clients = [];
});
afterEach(async () => {
  for (const client of clients) client.close();
  await daemon.remove();
});

function start(tables = ''): Promise<Daemon> {
  return daemon.start('--config', daemon.config(`[audit]\nenabled = true\n${tables}`));
}

async function client(): Promise<LineClient> {
  const opened = await LineClient.open(daemon.socket);
  clients.push(opened);
  return opened;
}

function signing(id: number, message: Buffer): string {
  const params = { message_b64: message.toString('base64url') };
  return JSON.stringify({ jsonrpc: '2.0', id, method: 'sign', params });
}

const sha256 = (message: Buffer): string => createHash('sha256').update(message).digest('hex');

test('what an agent does is recorded, from its start to its end', async () => {
  await start();
  const caller = await client();
  await caller.call('sign', { message_b64: 'aGVsbG8' });
  await caller.call('rotate', { grace_seconds: 60 });
  await caller.call('rotate', { grace_seconds: -1 });
  await caller.call('list_keys');
  const status = await caller.call('status');
  expect(status.result?.['audit']).toMatchObject({ enabled: true, fsync: true, health: 'ok' });
  process.kill(daemon.pid, 'SIGHUP');
  await until('it reloads', () => daemon.log.some(({ msg }) => msg === 'reloaded'));
  expect(await daemon.stop()).toBe(0);
  const records = auditRecords(dir);
  expect(records.map(({ event, method, outcome }) => [event, method, outcome])).toEqual([
    ['started', null, null],
    ['operation', 'first_key', 'begun'],
    ['operation', 'first_key', 'done'],
    ['checkpoint', null, null],
    ['operation', 'sign', 'done'],
    ['operation', 'rotate', 'begun'],
    ['operation', 'rotate', 'done'],
    ['operation', 'rotate', 'refused'],
    ['operation', 'reload', 'done'],
    ['stopped', null, null],
  ]);
  expect(records[4]).toMatchObject({
    uid: process.geteuid?.(),
    pid: process.pid,
    exe_best_effort: process.execPath,
    scope: 'admin',
    message_sha256: [sha256(Buffer.from('hello'))],
  });
  expect(records[7]).toMatchObject({ kind: 'invalid_params', of: null });
  expect(records[8]).toMatchObject({ uid: null, scope: null });
  expect(verdictOf(dir, 'final')).toMatchObject({ valid: true, unsignedTail: 0 });
});

test('a reload that could not read everything says so in its record', async () => {
  await start();
  const caller = await client();
  daemon.config('[audit');
  await caller.call('reload');
  process.kill(daemon.pid, 'SIGHUP');
  const reloads = (): number =>
    daemon.log.filter(({ msg }) => msg === 'not everything was reloaded').length;
  await until('it reloads', () => reloads() === 2);
  expect(await daemon.stop()).toBe(0);
  const reason = 'could not be read, and stays as it was: configuration';
  expect(auditRecords(dir).filter(({ method }) => method === 'reload')).toMatchObject([
    { outcome: 'begun', reason: null },
    { outcome: 'done', reason },
    { outcome: 'done', reason, uid: null },
  ]);
});

test('an agent that is killed under load has a record of every signature that it gave away', async () => {
  const answered: Buffer[] = [];
  for (let life = 0; life < 4; life += 1) {
    await start('max_file_bytes = 65536');
    const messages = Array.from({ length: 4000 }, () => randomBytes(24));
    const callers = await Promise.all([client(), client(), client(), client()]);
    for (const [id, message] of messages.entries()) {
      callers[id % callers.length]?.send(signing(id, message));
    }
    const count = (): number => callers.reduce((sum, { answers }) => sum + answers.length, 0);
    await callers[0].until(() => count() > 300 * (life + 1));
    await daemon.stop('SIGKILL');
    await Promise.all(callers.map(({ closed }) => closed));
    for (const { answers } of callers) {
      for (const { id, result } of answers) {
        const message = messages[Number(id)];
        if (result !== undefined && message !== undefined) answered.push(message);
      }
    }
  }
  await start();
  expect(await daemon.stop()).toBe(0);
  const recorded = new Set(auditRecords(dir).flatMap((record) => record.message_sha256));
  expect(answered.length).toBeGreaterThan(3000);
  expect(answered.filter((message) => !recorded.has(sha256(message)))).toEqual([]);
  expect(verdictOf(dir, 'final')).toMatchObject({ valid: true, unsignedTail: 0, problems: [] });
});

test('a torn last line is repaired at the start, and that is recorded', async () => {
  await start();
  await daemon.stop('SIGKILL');
  const [path = ''] = auditFiles(dir);
  appendFileSync(path, '{"v":1,"seq":5,"ti');
  await start();
  await daemon.stop();
  expect(auditRecords(dir).slice(-3)).toMatchObject([
    { event: 'repaired', reason: expect.stringContaining('18 bytes') as string },
    { event: 'started' },
    { event: 'stopped' },
  ]);
  expect(verdictOf(dir, 'final')).toMatchObject({ valid: true, unsignedTail: 0 });
});

test('an agent does not start on a log that was edited', async () => {
  await start();
  await daemon.stop();
  const [path = ''] = auditFiles(dir);
  const text = readFileSync(path, 'utf8');
  writeFileSync(path, text.replace('"method":"first_key"', '"method":"last_key!"'));
  const { code, err } = await daemon.refusedStart(
    '--config',
    daemon.config('[audit]\nenabled = true\n'),
  );
  expect(code).toBe(2);
  expect(err).toContain(`${path}, line 3, does not follow record 2`);
  expect(err).toContain('agentctl reconcile --forget audit --apply');
});

test('what the schedule changes is recorded before and after', async () => {
  await start('[keyrings.default.rotation]\nevery = "2s"\nprepublish = "1s"\ngrace = "1h"\n');
  const rotated = (): boolean => daemon.log.some(({ msg }) => msg === 'activated on schedule');
  await until('a rotation on schedule', rotated);
  await daemon.stop();
  const own = auditRecords(dir).filter(({ method }) => method === 'prepare' || method === 'rotate');
  const [prepared, , rotation] = own;
  expect(own.slice(0, 4)).toMatchObject([
    { method: 'prepare', uid: null, pid: null, scope: null, outcome: 'begun', kid: null },
    { method: 'prepare', outcome: 'done', of: prepared?.seq, kid: own[3]?.kid },
    { method: 'rotate', outcome: 'begun' },
    { method: 'rotate', outcome: 'done', of: rotation?.seq },
  ]);
  expect(verdictOf(dir, 'final')).toMatchObject({ valid: true, unsignedTail: 0 });
});

describe('a file system that is full', () => {
  /** Signs one by one until it is refused; answers how often it was not. */
  async function signUntilRefused(caller: LineClient): Promise<number> {
    for (let signed = 0; ; signed += 1) {
      const { error } = await caller.call('sign', { message_b64: 'aGVsbG8' });
      if (error === undefined) continue;
      expect(error.data).toMatchObject({ kind: 'audit_unavailable', retry_after_ms: 1000 });
      expect(error.message).toContain(dir);
      return signed;
    }
  }

  async function goesOnAfter(fill: (free: number) => () => void): Promise<void> {
    await start();
    const caller = await client();
    const free = fill(4000);
    const signed = await signUntilRefused(caller);
    const { error } = await caller.call('rotate', { grace_seconds: 60 });
    expect(error?.data.kind).toBe('audit_unavailable');
    const status = await caller.call('status');
    expect(status.result?.['audit']).toMatchObject({ health: 'unavailable' });
    expect((await caller.call('list_valid_pubkeys')).result?.['keys']).toHaveLength(1);
    free();
    const resumed = (): boolean =>
      daemon.log.some(({ msg }) => msg === 'the audit log can be written again');
    await until('the agent goes on', resumed);
    expect((await caller.call('rotate', { grace_seconds: 60 })).error).toBeUndefined();
    await daemon.stop();
    const records = auditRecords(dir);
    expect(records.filter(({ method }) => method === 'sign')).toHaveLength(signed);
    const resuming = records.find(({ event }) => event === 'resumed');
    expect(resuming?.repeated).toBeGreaterThanOrEqual(2);
    expect(verdictOf(dir, 'final')).toMatchObject({ valid: true, unsignedTail: 0 });
  }

  test('nothing is signed, and the agent goes on when there is room', async ({ skip }) => {
    mkdirSync(dir, { recursive: true, mode: 0o700 });
    try {
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k,mode=0700', 'tmpfs', dir], {
        stdio: 'ignore',
      });
    } catch {
      skip('this process may not mount');
    }
    try {
      await goesOnAfter(() => {
        const filler = join(dir, 'filler');
        // All pages but one: tmpfs counts pages.
        const pages = 64 / 4 - 1 - pagesOf(auditFiles(dir)[0]) - pagesOf(join(dir, 'jwks.json'));
        writeFileSync(filler, Buffer.alloc(pages * 4096));
        return () => {
          rmSync(filler);
        };
      });
    } finally {
      await daemon.stop();
      execFileSync('umount', [dir]);
    }
  });

  test('a limit on the size of files is one too', async () => {
    await goesOnAfter((free) => {
      const limit = (size: number | 'unlimited'): void => {
        execFileSync('prlimit', ['--pid', String(daemon.pid), `--fsize=${size}:`]);
      };
      limit(statSync(auditFiles(dir)[0] ?? '').size + free);
      return () => {
        limit('unlimited');
      };
    });
  });

  function pagesOf(path = ''): number {
    return Math.ceil(statSync(path).size / 4096);
  }
});
