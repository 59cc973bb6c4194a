import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { Caller } from '../../src/access/caller.ts';
import { openAuditLog } from '../../src/agent/configured-audit-log.ts';
import type { AuditLog } from '../../src/audit/audit-log.ts';
import { methodCatalogue } from '../../src/api/methods.ts';
import { AgentError } from '../../src/base/errors.ts';
import { openLibc } from '../../src/native/libc.ts';
import { AgentLocks } from '../../src/server/ssh-agent/locks.ts';
import { auditRecords } from '../support/audit-chain.ts';
import { noLedgers } from '../support/ledgers.ts';
import { methodParams } from '../support/method-params.ts';
import { RequestRig } from '../support/request-rig.ts';
import {
  extensionRequest,
  listRequest,
  lockRequest,
  signRequest,
} from '../support/ssh-agent-client.ts';
import { Clock, worldWith } from '../support/world.ts';

let dir: string;
let clock: Clock;
let audit: AuditLog;
let rig: RequestRig;

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'stranger-'));
  clock = new Clock();
  const settings = { dir, fsync: false, maxFileBytes: 1 << 30, keyring: 'default' };
  const known = { ...noLedgers.log, jwksCopyPath: join(dir, 'copy', 'jwks.json') };
  const noKeyring = (): never => {
    throw new AgentError('locked', 'no key signs here');
  };
  audit = openAuditLog(settings, noKeyring, worldWith(clock), known, openLibc());
  rig = await new RequestRig(undefined, audit).open();
});
afterEach(async () => {
  await audit.stop();
  await rig.remove();
  rmSync(dir, { recursive: true });
});

const minutes = 4;
const minutesOfDay = 24 * 60;
/** Each of another user, all without a scope, with a path of control characters, which are the longest in JSON. */
const strangers = Array.from({ length: 12 }, (_, at) => {
  const ids = { uid: 200_000 + at, gid: 1, pid: 4_000_000 + at, groups: [] };
  return new Caller({ kind: 'process', ...ids, name: null, executable: '\u0001'.repeat(200) });
});
/** What a caller may write of any length. */
const long = '\u0001'.repeat(1500);
const variants = (params: object): readonly object[] => [
  params,
  { ...params, keyring: long },
  { ...params, [long]: long },
];

/** Everything that one stranger can send, once; the answers to failed attempts are not waited for. */
function sendAll(caller: Caller, ssh: (message: Buffer) => Promise<Buffer>): Promise<unknown>[] {
  const calls = Object.keys(methodCatalogue).flatMap((method) =>
    variants(methodParams[method] ?? {}).map((params) => rig.call(caller, method, params)),
  );
  const wrong = rig.call(caller, 'authenticate', { api_key: `sa_x_${'0'.repeat(64)}` });
  const messages = [
    listRequest,
    signRequest(Buffer.alloc(51), Buffer.alloc(1000)),
    lockRequest(long),
    extensionRequest('query'),
    extensionRequest('session-bind@openssh.com', Buffer.alloc(51), Buffer.alloc(32)),
  ];
  return [...calls, wrong, ...messages.map(ssh)];
}

test('whatever users without a scope send, they have at most 50 MB a day written', async () => {
  const locks = new AgentLocks(worldWith(clock));
  const connections = strangers.map((caller) => ({ caller, ssh: rig.ssh(caller, locks) }));
  for (let minute = 0; minute < minutes; minute += 1) {
    for (let times = 0; times < 2; times += 1) {
      const sent = connections.flatMap(({ caller, ssh }) => sendAll(caller, ssh));
      rig.access.endPauses();
      await Promise.all(sent);
      clock.advance(30);
      rig.access.clock.advance(30);
    }
  }
  await audit.stop();
  const records = auditRecords(dir);
  const requests = records.reduce((sum, { event, repeated }) => {
    return event === 'operation' ? sum + (repeated ?? 1) : sum;
  }, 0);
  // All of them are accounted for, and the longest of them are among those that were written.
  expect(requests).toBeGreaterThan(minutes * strangers.length * 2 * 40);
  expect(records.some(({ repeated }) => (repeated ?? 0) > 500)).toBe(true);

  const written = readdirSync(dir).reduce((sum, name) => sum + statSync(join(dir, name)).size, 0);
  const logged = rig.access.lines
    .filter(({ level }) => Number(level) >= 30)
    .reduce((sum, line) => sum + JSON.stringify(line).length + 1, 0);
  expect(logged).toBeGreaterThan(0);
  expect(((written + logged) / minutes) * minutesOfDay).toBeLessThan(50e6);
});
