import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { FaultyAgent, refusal } from '../support/faulty-agent.ts';

/** Every row of "Errors and what to do", as it happens to a client that signs. */

const functions = ['C_SignInit', 'C_Sign'] as const;

let agent: FaultyAgent;
beforeAll(async () => {
  agent = await FaultyAgent.start();
});
afterAll(() => agent.remove());
afterEach(() => {
  agent.module.clear();
});

/** Each value from each function. */
function from<Value extends object>(
  values: readonly Value[],
): (Value & { by: 'C_SignInit' | 'C_Sign' })[] {
  return functions.flatMap((by) => values.map((value) => ({ ...value, by })));
}

const stale = [
  { name: 'SESSION_HANDLE_INVALID', value: 0xb3 },
  { name: 'SESSION_CLOSED', value: 0xb0 },
  { name: 'OBJECT_HANDLE_INVALID', value: 0x82 },
  { name: 'OPERATION_ACTIVE', value: 0x90 },
];

/** A thread takes no message of that length. */
const longMessage = 20_000;
const makers = [
  { where: 'a thread', length: 48 },
  { where: 'the main thread', length: longMessage },
];

const fatal = [
  { name: 'DEVICE_ERROR', value: 0x30 },
  { name: 'DEVICE_REMOVED', value: 0x32 },
  { name: 'TOKEN_NOT_PRESENT', value: 0xe0 },
  { name: 'GENERAL_ERROR', value: 0x5 },
  { name: 'CRYPTOKI_NOT_INITIALIZED', value: 0x190 },
];

describe('a session or a handle that is stale', () => {
  beforeAll(() => agent.freshHost());

  it.each(from(stale).flatMap((each) => makers.map((maker) => ({ ...each, ...maker }))))(
    '$name from $by at $where: another session, the key found again',
    async ({ name, value, by, length }) => {
      await agent.sign('default', length);
      const host = agent.host();
      agent.module.script(`${by} at next return ${value}`);
      const calls = await agent.calls(() => agent.sign('default', length));
      // A session that is lost is no reason to keep those that are idle; the thread's own comes on top.
      const isLost = name.startsWith('SESSION') && length < longMessage;
      expect(calls).toMatchObject({
        C_SignInit: 2,
        C_Sign: by === 'C_Sign' ? 2 : 1,
        C_OpenSession: isLost ? 2 : 1,
        C_CloseSession: isLost ? 2 : 1,
        C_Login: 0,
      });
      expect(calls.C_FindObjectsInit).toBeGreaterThan(0);
      expect(agent.host()).toBe(host);
    },
  );
});

describe('a session or a handle that is stale, beside others', () => {
  it.each(from(stale))('$name from $by: every signature is answered', async ({ value, by }) => {
    await agent.signAtOnce(8);
    const host = agent.host();
    agent.module.script(`${by} at next+5 return ${value}`, `${by} at next+20 return ${value}`);
    const calls = await agent.calls(() => agent.signAtOnce(40));
    expect(calls).toMatchObject({ C_Login: 0, [by]: 42 });
    expect(agent.host()).toBe(host);
  });
});

describe('a value of 64 bits, as of a module that answers -1', () => {
  it.each(functions)('from %s: that signature alone is refused', async (by) => {
    await agent.freshHost();
    const host = agent.host();
    agent.module.script(`${by} at next return 0xffffffffffffffff`);
    const { kind } = await refusal(agent.sign());
    expect(kind).toBe('backend_unavailable');
    await agent.sign();
    expect(agent.host()).toBe(host);
  });
});

describe('a module without locks', () => {
  it('CKR_CANT_LOCK from C_Initialize: started without, and called by one thread', async () => {
    agent.module.script('C_Initialize at next return 0xa');
    process.kill(agent.host(), 'SIGKILL');
    const calls = await agent.calls(() => agent.signAtOnce(20));
    expect(calls).toMatchObject({ C_Initialize: 2, C_Login: 1, 'calls of other threads': 0 });
    await agent.freshHost();
    const others = await agent.calls(() => agent.signAtOnce(20));
    expect(others['calls of other threads']).toBeGreaterThan(0);
  });
});

describe('a login that the token has forgotten', () => {
  beforeEach(() => agent.freshHost());

  it.each(functions)('USER_NOT_LOGGED_IN from %s: one login more', async (by) => {
    const host = agent.host();
    agent.module.script(`${by} at next return 0x101`);
    const calls = await agent.calls(() => agent.sign());
    expect(calls).toMatchObject({ C_Login: 1, [by]: 2 });
    expect(agent.host()).toBe(host);
    expect(await agent.calls(() => agent.signAtOnce(20))).toMatchObject({ C_Login: 0 });
  });

  it.each(functions)('USER_NOT_LOGGED_IN from %s, beside others: one login more', async (by) => {
    await agent.signAtOnce(8);
    const host = agent.host();
    agent.module.script(`${by} at next+10 return 0x101`);
    expect(await agent.calls(() => agent.signAtOnce(40))).toMatchObject({ C_Login: 1, [by]: 41 });
    expect(agent.host()).toBe(host);
  });

  it.each(functions)('sessions and login lost in %s: one login more', async (by) => {
    const host = agent.host();
    agent.module.script(`${by} at next drop-sessions`);
    expect(await agent.calls(() => agent.sign())).toMatchObject({ C_Login: 1 });
    expect(agent.host()).toBe(host);
  });

  it.each(functions)(
    'sessions and login lost in %s, beside others: one login for all',
    async (by) => {
      await agent.signAtOnce(8);
      const host = agent.host();
      agent.module.script(`${by} at next+10 drop-sessions`);
      expect(await agent.calls(() => agent.signAtOnce(40))).toMatchObject({ C_Login: 1 });
      expect(agent.host()).toBe(host);
    },
  );

  it('a token that forgets it again and again: another process, and no login after login', async () => {
    const host = agent.host();
    agent.module.script(`C_Sign always return 0x101`);
    const calls = await agent.calls(async () => {
      const { kind, details } = await refusal(agent.sign());
      expect(kind).toBe('backend_unavailable');
      expect(details['retry_after_ms']).toBeGreaterThan(0);
    });
    expect(calls.C_Login).toBeLessThanOrEqual(3); // one more, one of the next process, one more
    agent.module.clear();
    await agent.recovered();
    expect(agent.host()).not.toBe(host);
  });
});

describe('a device that failed', () => {
  it.each(from(fatal))(
    '$name from $by: another process, and the signature once more',
    async ({ value, by }) => {
      const host = agent.host();
      agent.module.script(`${by} at next return ${value}`);
      const calls = await agent.calls(() => agent.sign());
      expect(calls).toMatchObject({ C_SignInit: 2, C_Sign: by === 'C_Sign' ? 2 : 1, C_Login: 1 });
      expect(agent.host()).not.toBe(host);
    },
  );

  // What a session that went stale makes it call.
  it.each([
    'C_OpenSession',
    'C_GetSessionInfo',
    'C_FindObjectsInit',
    'C_FindObjects',
    'C_GetAttributeValue',
  ] as const)('DEVICE_ERROR from %s, too', async (name) => {
    await agent.freshHost();
    const host = agent.host();
    agent.module.script('C_Sign at next return 0xb3', `${name} at next return 0x30`);
    expect(await agent.calls(() => agent.sign())).toMatchObject({ C_Sign: 2, C_Login: 1 });
    expect(agent.host()).not.toBe(host);
  });

  it.each(fatal)('$name, beside others: every signature is answered', async ({ value }) => {
    await agent.sign();
    const host = agent.host();
    agent.module.script(`C_Sign at next+10 return ${value}`);
    expect(await agent.calls(() => agent.signAtOnce(40))).toMatchObject({ C_Login: 1 });
    expect(agent.host()).not.toBe(host);
  });

  it.each(fatal)('$name for good: refused after two attempts', async ({ value }) => {
    await agent.sign();
    agent.module.script(`C_Sign always return ${value}`);
    const calls = await agent.calls(async () => {
      const { kind, details } = await refusal(agent.sign());
      expect(kind).toBe('backend_unavailable');
      expect(details['retry_after_ms']).toBeGreaterThan(0);
    });
    expect(calls.C_Sign).toBe(2);
    agent.module.clear();
    await agent.recovered();
  });

  it('for good: from then on refused at once, without a call into the module', async () => {
    await agent.sign();
    // The two requests before take two processes more; the token cannot be opened again after that.
    agent.module.script('C_Sign always return 0x30', 'C_Login from next+2 return 0x30');
    for (let request = 0; request < 2; request += 1) await refusal(agent.sign());
    const calls = await agent.calls(async () => {
      const { kind, details } = await refusal(agent.sign());
      expect(kind).toBe('backend_unavailable');
      expect(details['retry_after_ms']).toBeGreaterThan(0);
    });
    expect(calls).toMatchObject({ C_SignInit: 0, C_Sign: 0 });
    agent.module.clear();
    await agent.recovered();
  });
});

describe('a process that ends in a call', () => {
  const ends = [{ fault: 'abort' }, { fault: 'segv' }, { fault: 'exit 3' }] as const;

  it.each(from(ends))(
    '$fault in $by: another process, and the signature once more',
    async ({ fault, by }) => {
      await agent.sign();
      const host = agent.host();
      agent.module.script(`${by} at next ${fault}`);
      const calls = await agent.calls(() => agent.sign());
      expect(calls).toMatchObject({ [by]: 2, C_Login: 1 });
      expect(agent.host()).not.toBe(host);
    },
  );

  it.each(ends)('$fault for good: refused after two attempts', async ({ fault }) => {
    await agent.sign();
    agent.module.script(`C_Sign always ${fault}`);
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
