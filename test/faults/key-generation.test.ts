import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { FaultyAgent, refusal } from '../support/faulty-agent.ts';

let agent: FaultyAgent;
beforeAll(async () => {
  agent = await FaultyAgent.start({ callTimeout: '5s' });
});
afterAll(() => agent.remove());
afterEach(() => {
  agent.module.clear();
});

const faults = [
  { fault: `return 0x30`, at: 'C_GenerateKeyPair' },
  { fault: `return 0xb3`, at: 'C_GenerateKeyPair' },
  { fault: 'abort', at: 'C_GenerateKeyPair' },
  { fault: 'hang', at: 'C_GenerateKeyPair' },
  // The proof of a pair that is in the token by then.
  { fault: `return 0x30`, at: 'C_Sign' },
  { fault: 'abort', at: 'C_Sign' },
  { fault: 'hang', at: 'C_Sign' },
] as const;

it.each(faults)(
  '$fault in $at: the rotation fails, and is not tried again',
  async ({ fault, at }) => {
    await agent.sign();
    const { client, module } = agent;
    const active = await client.activeKeyId();
    const before = await client.listKeys();
    module.script(`${at} at next ${fault}`);
    const failing = await agent.calls(async () => {
      const { kind, details } = await refusal(client.rotate(3600));
      expect(kind).toBe('backend_unavailable');
      expect(details['retry_after_ms']).toBeGreaterThanOrEqual(0);
    });
    expect(failing.C_GenerateKeyPair).toBe(1);

    expect(await client.activeKeyId()).toBe(active);
    expect((await client.listKeys()).map(({ kid }) => kid)).toEqual(before.map(({ kid }) => kid));
    await agent.signAtOnce(10);
    const { new_active_kid, previous_kid } = await client.rotate(3600);
    expect(previous_kid).toBe(active);
    expect((await client.sign(Buffer.from('x'))).kid).toBe(new_active_kid);
    await agent.sign();
  },
);

it('beside rotations that fail, every signature is answered', async () => {
  for (const fault of [`return 0x30`, 'abort'] as const) {
    agent.module.script(`C_GenerateKeyPair at next ${fault}`);
    const rotating = refusal(agent.client.rotate(3600));
    await agent.signAtOnce(100);
    expect(await rotating).toMatchObject({ kind: 'backend_unavailable' });
  }
  await agent.client.rotate(3600);
});

it('none of them leaves anything behind: the token holds what the records name', async () => {
  const listed = await agent.client.listKeys();
  await agent.daemon.stop();
  const where = [...agent.flags, '--state-dir', agent.daemon.stateDir];
  const { code, out } = await agent.agentctl('--json', 'reconcile', ...where);
  const { keys } = JSON.parse(out) as { keys: { kid: string | null; finding: string }[] };
  expect(keys.map(({ kid }) => kid).sort()).toEqual(listed.map(({ kid }) => kid).sort());
  expect(code, out).toBe(0);
});
