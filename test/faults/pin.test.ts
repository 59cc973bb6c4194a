import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { FaultyAgent, refusal } from '../support/faulty-agent.ts';

let agent: FaultyAgent;
beforeAll(async () => {
  agent = await FaultyAgent.start();
});
afterAll(() => agent.remove());
afterEach(async () => {
  agent.module.clear();
  const { keyrings } = await agent.client.status();
  // A test that failed has left it so.
  if (keyrings[0]?.health === 'locked') await unlock('--again');
  await agent.sign();
});

function unlock(...flags: string[]): ReturnType<FaultyAgent['agentctl']> {
  return agent.agentctl('unlock', '--pin-file', agent.token.pinFile, ...flags);
}

/** All that needs the token is refused, and nobody logs in for it. */
async function expectLocked(): Promise<void> {
  const calls = await agent.calls(async () => {
    for (const ask of [
      () => agent.sign(),
      () => agent.client.signBatch([Buffer.from('x')]),
      () => agent.client.rotate(60),
      () => agent.client.prepare(),
      () => agent.sign(),
    ]) {
      expect(await refusal(ask())).toMatchObject({ kind: 'locked' });
    }
    await agent.client.listKeys().catch(() => null); // the records may be shown, without the token's part
    const { keyrings } = await agent.client.status();
    expect(keyrings).toMatchObject([{ name: 'default', health: 'locked' }]);
  });
  expect(calls).toMatchObject({ C_Login: 0, C_Sign: 0 });
}

/** With the agent that runs, and with the next one. */
async function expectLockedForGood(): Promise<void> {
  await expectLocked();
  const calls = await agent.calls(async () => {
    await agent.daemon.stop('SIGKILL');
    await agent.start();
  });
  expect(calls.C_Login).toBe(0);
  await expectLocked();
}

const refusals = [
  { name: 'PIN_INCORRECT', value: 0xa0, again: ['--again'] },
  { name: 'PIN_LOCKED', value: 0xa4, again: [] },
  { name: 'PIN_EXPIRED', value: 0xa3, again: [] },
];

it.each(refusals)(
  '$name at the login of the next process: locked until an operator gives a PIN',
  async ({ value, again }) => {
    agent.module.script(`C_Login at next return ${value}`);
    const calls = await agent.calls(async () => {
      process.kill(agent.host(), 'SIGKILL');
      expect(await refusal(agent.sign())).toMatchObject({ kind: 'locked' });
    });
    expect(calls.C_Login).toBe(1);
    await expectLockedForGood();

    const unlocking = await agent.calls(async () => {
      expect(await unlock(...again)).toMatchObject({ code: 0, err: '' });
    });
    expect(unlocking.C_Login).toBe(1);
    await agent.signAtOnce(10);
    await agent.freshHost();
  },
);

it.each(refusals)(
  '$name at the login after one that was forgotten: locked until an operator gives a PIN',
  async ({ value, again }) => {
    agent.module.script(`C_Sign at next return 0x101`, `C_Login at next return ${value}`);
    const calls = await agent.calls(async () => {
      expect(await refusal(agent.sign())).toMatchObject({ kind: 'locked' });
    });
    expect(calls.C_Login).toBe(1);
    await expectLockedForGood();

    expect(await unlock(...again)).toMatchObject({ code: 0, err: '' });
    await agent.signAtOnce(10);
  },
);

it('a PIN file that is wrong by the time of a new process: the right PIN, from elsewhere, opens it', async () => {
  await agent.daemon.stop(); // from here on it has the PIN from the file, and from nobody else
  await agent.start();
  const right = join(agent.daemon.folder, 'right-pin');
  writeFileSync(right, readFileSync(agent.token.pinFile), { mode: 0o600 });
  writeFileSync(agent.token.pinFile, 'wrong-one\n');
  agent.module.script('pin-lock 3');
  const calls = await agent.calls(async () => {
    process.kill(agent.host(), 'SIGKILL');
    const refused = await Promise.all([1, 2, 3].map(() => refusal(agent.sign())));
    expect(refused.map(({ kind }) => kind)).toEqual(['locked', 'locked', 'locked']);
  });
  expect(calls).toMatchObject({ C_Login: 1, 'wrong logins': 1 });
  await expectLockedForGood();

  // Nor is it tried where an operator gives it without having looked.
  const same = await agent.calls(async () => {
    expect((await unlock()).code).toBe(1);
  });
  expect(same.C_Login).toBe(0);
  expect(await agent.agentctl('unlock', '--pin-file', right)).toMatchObject({ code: 0, err: '' });
  await agent.signAtOnce(10);
  await agent.freshHost(); // logs in with the operator's PIN, not with the file's
  expect(agent.module.counts()['wrong logins']).toBe(1);
  writeFileSync(agent.token.pinFile, readFileSync(right));
});

it('a wrong PIN over 20 restarts of the agent is one login', async () => {
  const restarted = await FaultyAgent.make();
  onTestFinished(() => restarted.remove());
  const { module, token, daemon } = restarted;
  const right = readFileSync(token.pinFile);
  writeFileSync(token.pinFile, 'wrong-one\n');
  module.script('pin-lock 3');
  for (let start = 0; start < 21; start += 1) {
    await restarted.start();
    expect(await refusal(restarted.sign())).toMatchObject({ kind: 'locked' });
    const byForce = start % 2 === 0;
    expect(await daemon.stop(byForce ? 'SIGKILL' : 'SIGTERM')).toBe(byForce ? null : 0);
  }
  expect(module.counts()).toMatchObject({ C_Login: 1, 'wrong logins': 1 });

  writeFileSync(token.pinFile, right);
  await restarted.start();
  await restarted.signAtOnce(10);
  expect(module.counts()).toMatchObject({ C_Login: 2, 'wrong logins': 1 });
});

describe('a login that fails', () => {
  /** Starts of the agent that end with it, one login each. */
  async function failedStarts(value: number, starts: number): Promise<FaultyAgent> {
    const restarted = await FaultyAgent.make();
    onTestFinished(() => restarted.remove());
    restarted.module.script(`C_Login always return ${value}`);
    for (let start = 0; start < starts; start += 1) {
      await expect(restarted.start()).rejects.toThrow('could not log in');
    }
    restarted.module.clear();
    return restarted;
  }

  it.each([
    { name: 'TOKEN_NOT_PRESENT', value: 0xe0 },
    { name: 'DEVICE_REMOVED', value: 0x32 },
    { name: 'SESSION_HANDLE_INVALID', value: 0xb3 },
    { name: 'HOST_MEMORY', value: 0x2 },
  ])('with $name says nothing of the PIN: however often, nothing is locked', async ({ value }) => {
    const restarted = await failedStarts(value, 4);
    await restarted.start();
    await restarted.signAtOnce(10);
  });

  it.each([
    { name: 'GENERAL_ERROR', value: 0x5 },
    { name: 'DEVICE_ERROR', value: 0x30 },
    { name: 'a word of the vendor', value: 0x80000001 },
  ])('with $name may have been counted: after two an operator is asked', async ({ value }) => {
    const restarted = await failedStarts(value, 2);
    await restarted.start();
    expect(await refusal(restarted.sign())).toMatchObject({
      kind: 'locked',
      message: expect.stringContaining('2 logins in a row were cut off, or failed') as string,
    });
    expect((await restarted.agentctl('unlock', '--pin-file', restarted.token.pinFile)).code).toBe(
      0,
    );
    await restarted.signAtOnce(10);
  });
});
