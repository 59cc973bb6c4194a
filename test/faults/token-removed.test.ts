import { afterAll, beforeAll, expect, it } from 'vitest';
import { FaultyAgent, refusal, until } from '../support/faulty-agent.ts';

const refusals = 200;
/** Before the second attempt to open the token again, milliseconds; before the third it is longer. */
const longestFirstWait = 600;

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
  let refused = 0;
  await Promise.race([
    Promise.all(others),
    (async () => {
      // Over more than one attempt to open it again.
      while (refused < refusals || agent.absences() < 2) {
        const { kind, details } = await refusal(agent.sign());
        refused += 1;
        expect(kind).toBe('backend_unavailable');
        expect(details['retry_after_ms']).toBeGreaterThan(0);
        // Whoever meets the removal waits for the attempt that is made then, and not for the next one.
        if (refused === 1) expect(details['retry_after_ms']).toBeLessThanOrEqual(longestFirstWait);
      }
    })(),
  ]);
  // Nine of ten were refused while nothing was tried: they have waited for no attempt.
  expect(agent.absences()).toBeLessThan(refused / 10);
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
  await until('the keyring is well', async () => (await health()) === 'ok');
});

it('is refused at once where the token is gone when the agent starts, and goes on when it comes', async () => {
  // Only an optional keyring lets the agent start without its token.
  const late = await FaultyAgent.make({ keyring: 'optional = true' });
  try {
    late.module.script('token removed');
    await late.start();
    const failedAttempts = (): number =>
      late.daemon.log.filter(({ msg }) => msg.startsWith('an optional keyring could not be opened'))
        .length;
    // The next attempt to open it takes long, and nobody waits for its end.
    const { C_GetSlotList } = late.module.counts();
    late.module.script('C_GetSlotList at next delay 5000', 'token removed');
    await until('an attempt', () => late.module.counts().C_GetSlotList > C_GetSlotList);
    const before = failedAttempts();
    const { kind, details } = await refusal(late.sign());
    expect(failedAttempts()).toBe(before);
    expect(kind).toBe('backend_unavailable');
    expect(details['retry_after_ms']).toBeGreaterThan(0);
    late.module.clear();
    await late.recovered();
  } finally {
    await late.remove();
  }
});
