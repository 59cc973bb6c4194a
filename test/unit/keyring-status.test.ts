import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { connect } from '../../src/client/connect.ts';
import type { KeyringSettings } from '../../src/config/keyring-settings.ts';
import { AgentError } from '../../src/base/errors.ts';
import { keyringStatus } from '../../src/agent/keyring-status.ts';
import { noJwtPolicy } from '../../src/formats/jose/jwt-policy.ts';
import { openKeyring } from '../../src/keyring/open-keyring.ts';
import { InProcessAgent } from '../support/in-process-agent.ts';
import { MemoryStore, MemoryVault } from '../support/memory-keyring.ts';
import { Clock, worldWith } from '../support/world.ts';

const rotation = { everySeconds: 3600, prepublishSeconds: 600, graceSeconds: 60 };
const settings: KeyringSettings = {
  ...{ name: 'default', backend: 'file', path: '/dev/null', copyPath: '/dev/null' },
  ...{ require: 'software', prunes: true },
  ...{ optional: false, rotation, joseAlg: null, jwt: noJwtPolicy, purposes: null },
};
const iso = (ms: number): string => new Date(ms).toISOString();

async function opened() {
  const clock = new Clock();
  const vault = new MemoryVault();
  const parts = { name: 'default', vault, store: new MemoryStore(), world: worldWith(clock) };
  const keyring = await openKeyring({ ...parts, rotation });
  return { clock, vault, keyring, status: () => keyringStatus(settings, { keyring }, clock.now()) };
}

describe('the status of an open keyring', () => {
  test('says when its key is replaced, and what comes first', async () => {
    const { clock, status } = await opened();
    expect(status()).toMatchObject({
      health: 'ok',
      last_error: null,
      rotation: { every_seconds: 3600, prepublish_seconds: 600, grace_seconds: 60 },
      next_rotation: iso(clock.now() + 3_600_000),
      next_change: { what: 'prepare', at: iso(clock.now() + 3_000_000) },
    });
  });

  test('shows a rotation that fails, while it signs all the same', async () => {
    const { clock, vault, keyring, status } = await opened();
    clock.advance(4000);
    vault.fails = 'generate';
    vault.failure = new AgentError('backend_unavailable', 'the token is full');
    await keyring.upkeep();
    expect(status()).toMatchObject({
      health: 'ok',
      last_error: {
        kind: 'backend_unavailable',
        message: 'the next key could not be prepared on schedule: the token is full',
        at: iso(clock.now()),
      },
    });
    expect(status().next_rotation).toBe(iso(clock.now() - 400_000)); // overdue
    vault.fails = null;
    clock.advance(1);
    await keyring.upkeep();
    expect(status().last_error).toBeNull();
  });

  test('says that its vault is locked or away, and since when that is known', async () => {
    const { clock, vault, status } = await opened();
    vault.outage = new AgentError('locked', 'the token wants its PIN');
    const since = iso(clock.now());
    expect(status()).toMatchObject({ health: 'locked', last_error: { kind: 'locked', at: since } });
    clock.advance(10);
    expect(status().last_error?.at).toBe(since);
    vault.outage = new AgentError('backend_unavailable', 'the token was pulled');
    expect(status()).toMatchObject({
      health: 'unavailable',
      last_error: { message: 'the token was pulled', at: iso(clock.now()) },
    });
    vault.outage = null;
    expect(status().health).toBe('ok');
  });
});

describe('on the wire', () => {
  let agent: InProcessAgent;
  beforeEach(async () => {
    agent = await new InProcessAgent(
      '[keyrings.default.rotation]\nevery = "24h"\n[keyrings.hand]\nbackend = "file"',
    ).start();
  });
  afterEach(async () => {
    await agent.remove();
  });

  test('status and list_keys have the next change', async () => {
    const client = await connect({ socket: agent.socket });
    try {
      const at = iso(agent.clock.now() + 18 * 3_600_000);
      const next_change = { what: 'prepare', at };
      const [scheduled, byHand] = (await client.status()).keyrings;
      expect(scheduled).toMatchObject({
        next_rotation: iso(agent.clock.now() + 24 * 3_600_000),
        next_change,
        rotation: { every_seconds: 86_400, prepublish_seconds: 21_600, grace_seconds: 86_400 },
      });
      expect(byHand).toMatchObject({ next_rotation: null, next_change: null, rotation: null });
      expect(await client.call('list_keys')).toMatchObject({ next_change });
      expect(await client.call('list_keys', { keyring: 'hand' })).toMatchObject({
        next_change: null,
      });
    } finally {
      await client.close();
    }
  });
});
