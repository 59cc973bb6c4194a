import { randomInt } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it, onTestFinished } from 'vitest';
import { AgentError } from '../../src/base/errors.ts';
import { ConnectionError } from '../../src/client/connection-error.ts';
import { run } from '../support/daemon.ts';
import { FaultyAgent } from '../support/faulty-agent.ts';
import { compare, objectsInToken, type Sidecar } from '../support/token-objects.ts';

const rounds = Number(process.env['ROUNDS'] ?? 6);
const changesARound = 4;

/** A data object of a program that is not ours comes or goes, as the token's first object at first. */
async function foreignObject(agent: FaultyAgent, label: string, change: 'add' | 'remove') {
  const path = join(agent.daemon.folder, 'foreign');
  writeFileSync(path, 'x');
  const what = change === 'add' ? ['--write-object', path, '--private'] : ['--delete-object'];
  const { token } = agent;
  const { code, err } = await run(
    'pkcs11-tool',
    [
      ...['--module', token.modulePath, '--token-label', 'test', '--login', '--pin', 'env:PIN'],
      ...[...what, '--type', 'data', '--label', label],
    ],
    '',
    { ...token.environment, PIN: readFileSync(token.pinFile, 'utf8').trim() },
  );
  if (code !== 0) throw new Error(`pkcs11-tool: ${err}`);
}

/** What a change may come to where a process was killed, or where it does not fit the keys that there are. */
async function attempt(change: Promise<unknown>): Promise<void> {
  await change.catch((failure: unknown) => {
    if (failure instanceof AgentError || failure instanceof ConnectionError) return;
    throw failure;
  });
}

async function randomChange({ client }: FaultyAgent): Promise<unknown> {
  switch (randomInt(5)) {
    case 0:
      return client.prepare();
    case 1:
      return client.pruneExpiredGrace();
    case 2: {
      const keys = await client.listValidPubkeys();
      const kid = keys[randomInt(keys.length)]?.kid ?? '';
      return client.revoke(kid);
    }
    default:
      return client.rotate(randomInt(2) === 0 ? 0 : 900);
  }
}

async function expectAllSign({ client }: FaultyAgent): Promise<void> {
  for (const { kid } of await client.listValidPubkeys()) {
    expect((await client.sign(Buffer.from('a message'), { kid })).kid).toBe(kid);
  }
}

it.each([
  ['whose first handle must stay', ['device manufacturer tpm2-software.github.io']],
  ['that gives handles twice', ['device handles-twice']],
  ['with ids of two bytes', ['device manufacturer Yubico', 'device id-length 2']],
] as const)(
  'a token %s, which others use too: random changes and kills lose no key',
  async (_, rules) => {
    const agent = await FaultyAgent.make();
    onTestFinished(() => agent.remove());
    agent.module.script(...rules);
    await foreignObject(agent, 'foreign', 'add');
    for (let round = 0; round < rounds; round += 1) {
      await agent.start();
      await expectAllSign(agent);
      for (let change = 1; change < changesARound; change += 1) {
        await attempt(randomChange(agent));
      }
      const last = attempt(randomChange(agent));
      await sleep(randomInt(40)); // anywhere in the change
      if (round % 2 === 0) await agent.daemon.stop('SIGKILL');
      else for (const pid of agent.hosts()) process.kill(pid, 'SIGKILL');
      await last;
      if (round % 2 === 1) await agent.daemon.stop();
      await foreignObject(agent, 'foreign', round % 2 === 0 ? 'remove' : 'add');
    }
    await agent.start();
    await expectAllSign(agent);
    await agent.daemon.stop();
    const path = join(agent.daemon.stateDir, 'keyrings', 'default.json');
    const sidecar = JSON.parse(readFileSync(path, 'utf8')) as Sidecar;
    compare(sidecar, await objectsInToken(agent.token));
  },
  rounds * 20_000,
);
