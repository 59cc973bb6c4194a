import { afterAll, beforeAll, expect, it } from 'vitest';
import { FaultyAgent, refusal, until } from '../support/faulty-agent.ts';

/** Whoever meets the removal first waits for what is tried then, but is not kept waiting. */
const longestRefusal = 1500;
const usualRefusal = 100;
const refusals = 200;

let agent: FaultyAgent;
beforeAll(async () => {
  agent = await FaultyAgent.make({
    tables: (_module, token) =>
      '[keyrings.here]\nbackend = "file"\n' +
      `[keyrings.other]\nbackend = "pkcs11"\nuri = "${token.uri.replace('token=test', 'token=other')}"\n`,
  });
  await agent.token.addToken('other');
  await agent.start();
});
afterAll(() => agent.remove());

it('is refused at once while the token is away, goes on by itself when it is back, and other keyrings notice nothing', async () => {
  await agent.signAtOnce(8);
  const pid = agent.daemon.pid;
  const away = { over: false };
  const others = ['here', 'other'].map(async (keyring) => {
    let signatures = 0;
    for (; !away.over; signatures += 1) await agent.sign(keyring);
    return signatures;
  });

  agent.module.script('token removed');
  const waits: number[] = [];
  await Promise.race([
    Promise.all(others),
    (async () => {
      const begun = performance.now();
      // Over the time of at least one attempt to open it again, which comes after half a second.
      while (waits.length < refusals || performance.now() - begun < longestRefusal) {
        const asked = performance.now();
        const { kind, details } = await refusal(agent.sign());
        waits.push(performance.now() - asked);
        expect(kind).toBe('backend_unavailable');
        expect(details['retry_after_ms']).toBeGreaterThan(0);
      }
    })(),
  ]);
  waits.sort((one, other) => one - other);
  expect(waits.at(-1)).toBeLessThan(longestRefusal);
  expect(waits[Math.floor(waits.length * 0.9)]).toBeLessThan(usualRefusal);
  const { keyrings } = await agent.client.status();
  expect(keyrings.map(({ name, health }) => [name, health])).toEqual([
    ['default', 'unavailable'],
    ['here', 'ok'],
    ['other', 'ok'],
  ]);

  const { C_Login } = agent.module.counts();
  agent.module.clear();
  // Nobody asks for a signature: it comes back without that.
  await until('the login to the token', () => agent.module.counts().C_Login > C_Login);
  await agent.signAtOnce(40);
  away.over = true;
  for (const signatures of await Promise.all(others)) expect(signatures).toBeGreaterThan(20);
  expect(agent.daemon.pid).toBe(pid);
});

it('is said to be well again when it is back, before anybody asks for a signature', async () => {
  const health = async (): Promise<string | undefined> => {
    const { keyrings } = await agent.client.status();
    return keyrings.find(({ name }) => name === 'default')?.health;
  };
  agent.module.script('token removed');
  await refusal(agent.sign());
  expect(await health()).toBe('unavailable');
  const { C_Login } = agent.module.counts();
  agent.module.clear();
  await until('the login to the token', () => agent.module.counts().C_Login > C_Login);
  await until('the keyring is well', async () => (await health()) === 'ok', 2000);
});

it('is refused at once where the token is gone when the agent starts, and goes on when it comes', async () => {
  // Only an optional keyring lets the agent start without its token.
  const late = await FaultyAgent.make({ keyring: 'optional = true' });
  try {
    late.module.script('token removed');
    await late.start();
    const begun = performance.now();
    const { kind, details } = await refusal(late.sign());
    expect(performance.now() - begun).toBeLessThan(usualRefusal);
    expect(kind).toBe('backend_unavailable');
    expect(details['retry_after_ms']).toBeGreaterThan(0);
    late.module.clear();
    await late.recovered();
  } finally {
    await late.remove();
  }
});
