import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { AgentError } from '../../src/base/errors.ts';
import { connect } from '../../src/client/connect.ts';
import { Daemon, run } from '../support/daemon.ts';
import { isRunning } from '../support/faulty-agent.ts';

/** A keystore that another program writes too, which takes no lock and drops what version 1 does not have. */

const writer = fileURLToPath(new URL('../support/v1-writer.js', import.meta.url));
/** Of the other program; SHARED_KEYSTORE_ROUNDS repeats more of them by hand. */
const rounds = Number(process.env['SHARED_KEYSTORE_ROUNDS'] ?? 60);

/** Rotations by the agent, at least. */
const fewest = 12;

let daemon: Daemon;
beforeEach(() => {
  daemon = new Daemon();
});
afterEach(() => daemon.remove());

/** What the other program came between too often is answered with `conflict`: it was not done. */
async function untilDone<T>(work: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await work();
    } catch (failure) {
      if (!(failure instanceof AgentError && failure.kind === 'conflict')) throw failure;
    }
  }
}

test('both rotate and the agent revokes, at the same time: no key is lost, and none that was revoked comes back', async () => {
  await daemon.start();
  const client = await connect({ socket: daemon.socket });
  const file = join(daemon.stateDir, 'keyrings', 'default.json');
  const child = spawn(process.execPath, [writer, file, String(rounds)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let printed = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    printed += text;
  });
  const ended = once(child, 'close');
  const made: string[] = [];
  const revoked = new Set<string>();
  // Some are made behind the other program's last write, however often it came between.
  while (made.length < fewest || (child.pid !== undefined && isRunning(child.pid))) {
    const { previous_kid, new_active_kid } = await untilDone(() => client.rotate(3600));
    made.push(new_active_kid);
    await client.sign(Buffer.from('hello'), { kid: new_active_kid });
    if (made.length % 4 === 0) {
      await untilDone(() => client.revoke(previous_kid));
      revoked.add(previous_kid);
    }
  }
  expect(await ended).toEqual([0, null]);
  const theirs = printed.trim().split('\n');
  expect(theirs.length).toBe(rounds);
  expect(revoked.size).toBeGreaterThan(0);

  const compare = async (): Promise<void> => {
    const states = new Map((await client.listKeys()).map(({ kid, state }) => [kid, state]));
    const lost = [...made, ...theirs].filter((kid) => {
      const state = states.get(kid);
      return revoked.has(kid) ? state !== 'revoked' : state !== 'active' && state !== 'grace';
    });
    expect(lost).toEqual([]);
  };
  await compare();
  await client.close();
  await daemon.stop();
  await daemon.start();
  const again = await connect({ socket: daemon.socket });
  try {
    const states = new Map((await again.listKeys()).map(({ kid, state }) => [kid, state]));
    for (const kid of [...made, ...theirs]) {
      expect(states.get(kid)).toMatch(revoked.has(kid) ? /^revoked$/ : /^(active|grace)$/);
    }
  } finally {
    await again.close();
  }
});

test('one rotation by the other program, which drops what it does not know, revives no certificate of a revoked key', async () => {
  const config = daemon.config('[cluster]\ndomain = "prod.example"\n[keyrings.default]\n');
  await daemon.start('--config', config);
  const certificate = join(daemon.folder, 'certificate.json');
  const verdict = async (): Promise<readonly [number | null, string]> => {
    const { code, out } = await daemon.agentctl(['ca', 'verify', certificate]);
    return [code, out];
  };
  writeFileSync(certificate, (await daemon.agentctl(['ca', 'issue'])).out);
  expect(await verdict()).toEqual([0, expect.stringContaining('valid: key')]);
  const client = await connect({ socket: daemon.socket });
  const { previous_kid } = await client.rotate(3600);
  await client.revoke(previous_kid);
  await client.close();
  const revoked = [5, expect.stringContaining(`its key ${previous_kid} is revoked`)];
  expect(await verdict()).toEqual(revoked);

  const file = join(daemon.stateDir, 'keyrings', 'default.json');
  expect((await run(process.execPath, [writer, file, '1'])).code).toBe(0);
  expect(await verdict()).toEqual(revoked);
  await daemon.logged(({ undone }) => JSON.stringify(undone ?? '').includes(previous_kid));
  await daemon.stop();
  await daemon.start('--config', config);
  expect(await verdict()).toEqual(revoked);
});
