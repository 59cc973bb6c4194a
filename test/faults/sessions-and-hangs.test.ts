import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { FaultyAgent, refusal, until } from '../support/faulty-agent.ts';

let agent: FaultyAgent;
beforeAll(async () => {
  agent = await FaultyAgent.start({ callTimeout: '5s' });
});
afterAll(() => agent.remove());
afterEach(() => {
  agent.module.clear();
});

/** Vault hosts that were ended because a call did not return in time. */
function timeouts(): number {
  return agent.daemon.log.filter(
    ({ msg, reason }) =>
      msg === 'the vault host ended' && String(reason).includes('did not return in time'),
  ).length;
}

describe('SESSION_COUNT', () => {
  // One of them holds the login.
  it.each([2, 3])('%i sessions in all: every signature is answered, in turn', async (most) => {
    agent.module.script(`max-sessions ${most}`);
    await agent.freshHost();
    const host = agent.host();
    expect(await agent.calls(() => agent.signAtOnce(200))).toMatchObject({
      C_Sign: 200,
      C_Login: 0,
    });
    expect(agent.host()).toBe(host);
    const shrunk = agent.daemon.log.filter(({ msg }) => msg === 'the token has no more sessions');
    expect(shrunk.at(-1)).toMatchObject({ sessions: most - 1, wanted: 4 });
  });
});

describe('a token that has no session left but those that threads have', () => {
  // The main thread's, and one holds the login.
  it('the main thread loses its own: it waits for none of theirs', async () => {
    await agent.freshHost();
    const before = timeouts();
    agent.module.script('max-sessions 3', 'C_Sign at next return 0xb3');
    const longMessage = 20_000; // no thread takes it
    expect(await agent.calls(() => agent.sign('default', longMessage))).toMatchObject({
      C_Sign: 2,
      C_Login: 1,
    });
    expect(timeouts()).toBe(before);
  });
});

describe('a call that does not return', () => {
  it.each(['C_SignInit', 'C_Sign'] as const)(
    '%s: the signature is made once more, in time',
    async (by) => {
      await agent.freshHost();
      const host = agent.host();
      const before = timeouts();
      agent.module.script(`${by} at next hang`);
      expect(await agent.calls(() => agent.sign())).toMatchObject({ [by]: 2, C_Login: 1 });
      await until('the end of the process that hung', () => timeouts() > before);
      expect(timeouts()).toBe(before + 1);
      expect(agent.host()).not.toBe(host);
    },
  );

  it('beside others: every signature is answered in time', async () => {
    await agent.signAtOnce(8);
    const host = agent.host();
    const before = timeouts();
    agent.module.script('C_Sign at next+10 hang');
    expect(await agent.calls(() => agent.signAtOnce(40))).toMatchObject({ C_Login: 1 });
    await until('the end of the process that hung', () => timeouts() > before);
    // All of them have waited for one process that hung, and for no other.
    expect(timeouts()).toBe(before + 1);
    expect(agent.host()).not.toBe(host);
  });

  it('C_Login of the next process: refused in time, and it comes back by itself', async () => {
    agent.module.script('C_Login at next hang');
    process.kill(agent.host(), 'SIGKILL');
    const { kind, details } = await refusal(agent.sign());
    expect(kind).toBe('backend_unavailable');
    expect(details['retry_after_ms']).toBeGreaterThan(0);
    // It has waited for that login alone: the next attempt is still to come, the one after it waits longer.
    expect(details['retry_after_ms']).toBeLessThanOrEqual(600);
    await agent.recovered();
  });

  it('for good: refused after two attempts', async () => {
    await agent.sign();
    agent.module.script('C_Sign always hang');
    const calls = await agent.calls(async () => {
      const { kind, details } = await refusal(agent.sign());
      expect(kind).toBe('backend_unavailable');
      expect(details['retry_after_ms']).toBeGreaterThan(0);
    });
    expect(calls.C_Sign).toBe(2);
    agent.module.clear();
    await agent.recovered();
  });
});
