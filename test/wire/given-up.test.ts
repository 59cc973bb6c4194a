import { readdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { auditRecords } from '../support/audit-chain.ts';
import { Daemon, type Ended } from '../support/daemon.ts';

/** What is lost for good is given up by a command, and the audit log says so. */

let daemon: Daemon;
let config: string;
beforeEach(async () => {
  daemon = new Daemon();
  config = daemon.config('[audit]\nenabled = true\n[keyrings.default]\n[keyrings.ci]\n');
  await daemon.start('--config', config);
  for (const args of [
    ['apikey', 'create', 'build', '--scope', 'app'],
    ['clientkey', 'register', Buffer.alloc(32, 9).toString('base64url')],
  ]) {
    const { code, err } = await daemon.agentctl(args);
    expect({ code, err }).toMatchObject({ code: 0 });
  }
  await daemon.stop();
});
afterEach(() => daemon.remove());

const state = (...names: string[]): string => join(daemon.stateDir, ...names);
const forget = (...args: string[]): Promise<Ended> =>
  daemon.agentctl([
    ...['reconcile', '--forget', ...args],
    ...['--config', config, '--state-dir', daemon.stateDir],
  ]);

test.each([
  [
    'database',
    [],
    () => {
      rmSync(state('agent.db'));
    },
    'database at ',
  ],
  [
    'api-keys',
    [],
    () => {
      rmSync(state('api-keys.json'));
    },
    'api-keys at ',
  ],
  [
    'keyring',
    ['--keyring', 'ci'],
    () => {
      rmSync(state('keyrings', 'ci.json'));
      rmSync(state('copies', 'keyrings', 'ci.json'));
    },
    'keyring ci at ',
  ],
  [
    'audit',
    [],
    () => {
      truncateSync(state('audit', '000001.jsonl'), 0);
    },
    'audit at ',
  ],
  [
    'manifest',
    [],
    () => {
      writeFileSync(state('manifest.json'), '{');
      truncateSync(state('copies', 'manifest.json'), 0);
    },
    'manifest at ',
  ],
] as const)('%s', async (part, flags, lose, recorded) => {
  lose();
  const refused = await daemon.refusedStart('--config', config);
  expect(refused.err).toContain(`--forget ${part} --apply`);

  const dry = await forget(part, ...flags);
  expect(dry).toMatchObject({ code: 1, err: '' });
  expect(dry.out).toMatch(
    /^would be given up: .*\n(?:.*\n)*nothing was changed; --apply does this\n$/,
  );
  expect((await daemon.refusedStart('--config', config)).err).toContain(`--forget ${part} --apply`);

  const done = await forget(part, ...flags, '--apply');
  expect(done).toMatchObject({ code: 0, err: '' });
  expect(done.out).toMatch(/^given up: .*\n(?:.*\n)*the agent can be started\n$/);
  await daemon.start('--config', config);
  expect((await daemon.agentctl(['--keyring', 'ci', 'sign'], 'hello')).code).toBe(0);
  await daemon.stop();
  const notices = auditRecords(state('audit')).filter(({ reason }) =>
    reason?.includes('given up by an operator'),
  );
  expect(notices).toMatchObject([{ reason: expect.stringContaining(recorded) as string }]);
  // Told once: the next start has nothing to tell.
  await daemon.start('--config', config);
  await daemon.stop();
  expect(
    auditRecords(state('audit')).filter(({ reason }) => reason?.includes('given up')).length,
  ).toBe(1);
  if (part === 'audit') {
    expect(readdirSync(daemon.stateDir).some((name) => name.startsWith('audit.given-up-'))).toBe(
      true,
    );
  }
});

test('what is not known to be there cannot be given up', async () => {
  const unknown = await forget('keyring', '--keyring', 'nobody', '--apply');
  expect(unknown.code).toBe(1);
  expect(unknown.err).toContain('knows of no keyring "nobody"');
  const running = await daemon.start('--config', config);
  expect((await forget('database', '--apply')).err).toContain('is running an agent');
  await running.stop();
});
