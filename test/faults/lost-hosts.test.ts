import { randomInt } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, it, type TestContext } from 'vitest';
import { FaultyAgent, until } from '../support/faulty-agent.ts';

/** With each of them the agent loses its vault host under load; together they are more than 100. */
const kills = 64;
const aborts = 32;
const hangs = 5;

const clients = 8;
/** Wide enough for a host that has just started to sign some, and to be met at any step of that. */
const longestLife = 30;

/** Signs all the time, several at once, until `work` is done. Rejects with the first that is refused or wrong. */
async function whileSigning(agent: FaultyAgent, work: () => Promise<void>): Promise<number> {
  let signatures = 0;
  const working = { done: false };
  const signing = Array.from({ length: clients }, async () => {
    while (!working.done) {
      await agent.sign();
      signatures += 1;
    }
  });
  const worked = work().finally(() => {
    working.done = true;
  });
  await Promise.all([worked, ...signing]);
  return signatures;
}

async function startedAgent(
  { onTestFinished }: TestContext,
  callTimeout: '5s' | '10s',
): Promise<FaultyAgent> {
  const agent = await FaultyAgent.start({ callTimeout });
  onTestFinished(() => agent.remove());
  return agent;
}

/** A host that signs has logged in: one that is killed while it does may take the token with it (SoftHSM). */
async function nextHost(agent: FaultyAgent, last: number | null): Promise<number> {
  await until('another vault host', () => {
    const [pid] = agent.hosts();
    return pid !== undefined && pid !== last;
  });
  const { C_Sign } = agent.module.counts();
  await until('its first signatures', () => agent.module.counts().C_Sign > C_Sign + 1);
  return agent.host();
}

// Each with an agent and a token of its own: they wait for processes that start, most of the time.
describe.concurrent('under load', () => {
  it(`killed ${kills} times at any moment: every signature is answered, and right`, async (context) => {
    const { expect } = context;
    const agent = await startedAgent(context, '10s');
    const before = agent.module.counts();
    const signatures = await whileSigning(agent, async () => {
      let host: number | null = null;
      for (let kill = 0; kill < kills; kill += 1) {
        host = await nextHost(agent, host);
        await sleep(randomInt(longestLife));
        process.kill(host, 'SIGKILL');
      }
      await nextHost(agent, host);
    });
    const after = agent.module.counts();
    expect(after.C_Login - before.C_Login).toBe(kills);
    expect(signatures).toBeGreaterThan(kills);
  });

  it(`aborted in C_Sign ${aborts} times: every signature is answered, and right`, async (context) => {
    const { expect } = context;
    const agent = await startedAgent(context, '10s');
    const before = agent.module.counts();
    agent.module.script('C_Sign every 40 abort');
    await whileSigning(agent, async () => {
      const lost = (): boolean => agent.module.counts().C_Login >= before.C_Login + aborts;
      await until(`${aborts} hosts that ended`, lost);
      agent.module.clear();
    });
    const ended = agent.daemon.log.filter(({ msg }) => msg === 'a vault host ended');
    expect(ended.length).toBeGreaterThanOrEqual(aborts);
    expect(new Set(ended.map(({ signal }) => signal))).toEqual(new Set(['SIGABRT']));
  });

  it(`hung in C_Sign ${hangs} times: every signature is answered, and right`, async (context) => {
    const agent = await startedAgent(context, '5s');
    await whileSigning(agent, async () => {
      let host: number | null = null;
      for (let hang = 0; hang < hangs; hang += 1) {
        host = await nextHost(agent, host);
        // Those that are under way may be made before the rule is seen.
        agent.module.script(`C_Sign at next+${2 * clients + hang} hang`);
      }
      await nextHost(agent, host);
    });
  });
});
