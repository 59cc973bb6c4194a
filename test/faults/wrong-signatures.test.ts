import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { auditRecords } from '../support/audit-chain.ts';
import { FaultyAgent, refusal } from '../support/faulty-agent.ts';
import { join } from 'node:path';

/** A module that lies: bits of its signatures are flipped, and it says that all is well. */

let agent: FaultyAgent;
beforeAll(async () => {
  agent = await FaultyAgent.start({ tables: () => '[audit]\nfsync = false\n' });
});
afterAll(() => agent.remove());
afterEach(() => {
  agent.module.clear();
});

/** What `status` says of the keyring, and how many signatures were wrong. */
async function health() {
  const { keyrings, counters } = await agent.client.status();
  const [keyring] = keyrings;
  if (keyring === undefined) throw new Error('there is a keyring');
  return {
    health: keyring.health,
    error: keyring.last_error,
    wrong: counters?.wrong_signatures ?? NaN,
  };
}

it('one in twenty is wrong: none of them leaves, and the keyring is unhealthy', async () => {
  expect(await health()).toEqual({ health: 'ok', error: null, wrong: 0 });
  agent.module.script('C_Sign every 20 flip-bit');
  const { C_Sign: before } = agent.module.counts();
  for (let signed = 0; signed < 200; signed += 10) {
    await Promise.all(Array.from({ length: 10 }, () => agent.sign()));
  }
  const { C_Sign: after } = agent.module.counts();
  const flipped = Math.floor(after / 20) - Math.floor(before / 20);
  expect(after - before).toBe(200 + flipped);
  const { health: said, error, wrong } = await health();
  expect(wrong).toBe(flipped);
  expect(wrong).toBeGreaterThanOrEqual(10);
  expect(said).toBe('unavailable');
  expect(error?.kind).toBe('backend_unavailable');
  expect(error?.message).toMatch(/keyring default: \d+ of \d+ signatures of its device were wrong/);
});

it('a batch with a wrong one is right all the same', async () => {
  agent.module.script('C_Sign at next+2 flip-bit');
  const { wrong } = await health();
  const messages = Array.from({ length: 8 }, (_, at) => Buffer.from(`message ${at}`));
  const { signatures, kid } = await agent.client.signBatch(messages);
  for (const [at, signature] of signatures.entries()) {
    const message = messages[at] ?? Buffer.alloc(0);
    expect(await agent.client.verify(message, signature, { kid })).toMatchObject({ valid: true });
  }
  expect((await health()).wrong).toBe(wrong + 1);
});

it('a second wrong one is refused, and recorded as failed', async () => {
  agent.module.script('C_Sign always flip-bit');
  const failure = await refusal(agent.sign());
  expect(failure.kind).toBe('backend_unavailable');
  expect(failure.message).toMatch(/signatures of its device were wrong/);
  const record = auditRecords(join(agent.daemon.stateDir, 'audit')).at(-1);
  expect(record).toMatchObject({ method: 'sign', outcome: 'failed', kind: 'backend_unavailable' });
  agent.module.clear();
  await agent.sign();
  expect((await health()).health).toBe('unavailable');
});
