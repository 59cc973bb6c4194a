import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { parseConfig } from '../../src/config/load.ts';
import { resolveSettings } from '../../src/config/settings.ts';
import type { KeyringSettings } from '../../src/config/keyring-settings.ts';
import { AgentError } from '../../src/base/errors.ts';
import type { Keyring } from '../../src/keyring/keyring.ts';
import { SupervisedKeyrings } from '../../src/agent/supervised-keyrings.ts';
import { KeyringError } from '../../src/agent/supervisor.ts';
import type { PinGate } from '../../src/vault/pin-gate.ts';
import { Clock, worldWith } from '../support/world.ts';

let dir: string;
let pinFile: string;
let token: FakeToken;
const agents: SupervisedKeyrings[] = [];
const command = 'agentctl unlock --keyring prod';

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'open-keyrings-'));
  pinFile = join(dir, 'pin');
  token = new FakeToken();
});
afterEach(async () => {
  vi.useRealTimers();
  for (const agent of agents.splice(0)) await agent.close();
  rmSync(dir, { recursive: true, force: true });
});

/** Logs in as a token does that counts every wrong PIN. */
class FakeToken {
  pin = 'right';
  away = false;
  /** PINs that were tried, in order. */
  readonly tried: string[] = [];
  /** Logins and closings at the same time. */
  atOnce = 0;
  mostAtOnce = 0;
  open = 0;
  outage: { kind: string; message: string } | null = null;
  /** Resolved by tests that hold a login up. */
  gate: Promise<void> = Promise.resolve();

  readonly opener = async (settings: KeyringSettings, pins: PinGate | null): Promise<Keyring> => {
    if (pins === null) return this.#keyring(settings.name);
    return this.#alone(async () => {
      const pin = pins.pin();
      await this.gate;
      if (this.away) throw new AgentError('backend_unavailable', 'there is no token');
      this.tried.push(pin.toString());
      if (pin.toString() !== this.pin) {
        await pins.refused(pin, { kind: 'incorrect', reason: 'CKR_PIN_INCORRECT' });
        throw new AgentError('locked', 'the token refused the PIN (CKR_PIN_INCORRECT)');
      }
      await pins.accepted(pin);
      return this.#keyring(settings.name);
    });
  };

  #keyring(name: string): Keyring {
    this.open += 1;
    const close = (): Promise<void> =>
      this.#alone(async () => {
        await this.gate;
        this.open -= 1;
      });
    const outage = (): unknown => this.outage;
    const health = {
      get outage() {
        return outage();
      },
    };
    const description = { protection: 'software' };
    return { name, health, description, close } as unknown as Keyring;
  }

  async #alone<T>(work: () => Promise<T>): Promise<T> {
    this.atOnce += 1;
    this.mostAtOnce = Math.max(this.mostAtOnce, this.atOnce);
    try {
      await new Promise(setImmediate);
      return await work();
    } finally {
      this.atOnce -= 1;
    }
  }
}

/** On the clock of the timers, second by second, with what the timers have begun done in between. */
async function passSeconds(seconds: number): Promise<void> {
  for (let second = 0; second < seconds; second += 1) {
    vi.advanceTimersByTime(1000);
    for (let turn = 0; turn < 5; turn += 1) await new Promise(setImmediate);
  }
}

const writePin = (text: string): void => {
  writeFileSync(pinFile, `${text}\n`, { mode: 0o600 });
};

/** An agent's keyrings: `prod` in the token, `ci` in a file. */
function keyrings({ withFile = false, optional = false } = {}): SupervisedKeyrings {
  const source = withFile ? `&pin-source=file:${pinFile}` : '';
  const config = parseConfig(
    `[keyrings.ci]\n[keyrings.prod]\nbackend = "pkcs11"\noptional = ${String(optional)}\n` +
      `uri = "pkcs11:token=prod?module-path=/none.so${source}"\n`,
    'agent.toml',
  );
  const world = { env: {}, uid: 0, cwd: '/', file: 'agent.toml', processors: 1 };
  const settings = resolveSettings(config, { stateDir: dir }, world);
  // Beside the sidecar stands the memory of refused PINs.
  const here = settings.keyrings.map((one) =>
    one.backend === 'pkcs11' ? { ...one, sidecarPath: join(dir, 'prod.json') } : one,
  );
  const agent = new SupervisedKeyrings(here, token.opener, worldWith(new Clock()), null);
  agents.push(agent);
  return agent;
}

async function started(options?: Parameters<typeof keyrings>[0]): Promise<SupervisedKeyrings> {
  const agent = keyrings(options);
  await agent.open();
  return agent;
}

const unlock = (agent: SupervisedKeyrings, pin: string, again = false): Promise<void> =>
  agent.unlock('prod', Buffer.from(pin), again);
const locked = (text = command): unknown =>
  expect.objectContaining({ kind: 'locked', message: expect.stringContaining(text) as string });
const closedStatus = (agent: SupervisedKeyrings): unknown => agent.status()[1];

describe('a keyring without a PIN', () => {
  it('starts locked beside one that is open, and is opened by unlock', async () => {
    const agent = await started();
    expect(agent.get('ci').name).toBe('ci');
    expect(() => agent.get('prod')).toThrow(locked());
    expect(closedStatus(agent)).toMatchObject({
      name: 'prod',
      health: 'locked',
      active_kid: null,
      last_error: { kind: 'locked', message: expect.stringContaining(command) as string },
    });
    await unlock(agent, 'right');
    expect(agent.get('prod').name).toBe('prod');
    expect(token.tried).toEqual(['right']);
  });

  it('is not unlocked twice: where it is open no PIN is tried', async () => {
    const agent = await started();
    await unlock(agent, 'right');
    await unlock(agent, 'whatever', true);
    expect(token.tried).toEqual(['right']);
    expect(token.open).toBe(2);
  });

  it('takes one PIN at a time, however many are given at once', async () => {
    const agent = await started();
    const outcomes = await Promise.allSettled([
      unlock(agent, 'wrong'),
      unlock(agent, 'wrong'),
      unlock(agent, 'right'),
      unlock(agent, 'wrong'),
    ]);
    expect(outcomes.map(({ status }) => status)).toEqual([
      'rejected',
      'rejected',
      'fulfilled',
      'fulfilled',
    ]);
    expect(token.tried).toEqual(['wrong', 'right']);
    expect(token.mostAtOnce).toBe(1);
  });

  it('keeps no PIN that found the token away', async () => {
    const agent = await started();
    token.away = true;
    await expect(unlock(agent, 'right')).rejects.toMatchObject({ kind: 'backend_unavailable' });
    expect(() => agent.get('prod')).toThrow(locked('has no PIN yet'));
    token.away = false;
    await unlock(agent, 'right');
    expect(agent.get('prod').name).toBe('prod');
  });
});

describe('a wrong PIN', () => {
  it('in the file is tried once over any number of starts, and once more when it is another', async () => {
    writePin('wrong');
    for (let start = 0; start < 4; start += 1) {
      const agent = await started({ withFile: true, optional: start % 2 === 1 });
      expect(() => agent.get('prod')).toThrow(locked());
      expect(agent.get('ci').name).toBe('ci');
      await agent.close();
    }
    expect(token.tried).toEqual(['wrong']);
    writePin('worse');
    await (await started({ withFile: true })).close();
    await (await started({ withFile: true })).close();
    expect(token.tried).toEqual(['wrong', 'worse']);
    writePin('right');
    const agent = await started({ withFile: true });
    expect(agent.get('prod').name).toBe('prod');
    expect(token.tried).toEqual(['wrong', 'worse', 'right']);
  });

  it('given by an operator is tried once, but for an --again', async () => {
    const agent = await started();
    await expect(unlock(agent, 'wrong')).rejects.toEqual(locked('refused the PIN'));
    await expect(unlock(agent, 'wrong')).rejects.toEqual(locked(`${command} --again`));
    await agent.close();
    const later = await started();
    await expect(unlock(later, 'wrong')).rejects.toEqual(locked('was not tried'));
    expect(token.tried).toEqual(['wrong']);
    token.pin = 'wrong';
    await unlock(later, 'wrong', true);
    expect(token.tried).toEqual(['wrong', 'wrong']);
    await later.lock('prod');
    await unlock(later, 'wrong');
    expect(token.tried).toHaveLength(3);
  });

  it('of a file waits for an operator, who may give the right one', async () => {
    writePin('wrong');
    const agent = await started({ withFile: true });
    await unlock(agent, 'right');
    expect(agent.get('prod').name).toBe('prod');
  });
});

describe('lock', () => {
  it('closes the keyring for everyone but unlock, and only until a restart where the PIN is in a file', async () => {
    writePin('right');
    const agent = await started({ withFile: true });
    await agent.lock('prod');
    expect(token.open).toBe(1);
    expect(() => agent.get('prod')).toThrow(locked('an operator locked it'));
    expect(closedStatus(agent)).toMatchObject({ health: 'locked' });
    await agent.lock('prod');
    expect(() => agent.get('prod')).toThrow(locked('an operator locked it'));
    await unlock(agent, 'right');
    expect(agent.get('prod').name).toBe('prod');
    await agent.lock('prod');
    await agent.close();
    expect((await started({ withFile: true })).get('prod').name).toBe('prod');
  });

  it('refuses the keyring from the moment it was asked for, and waits for the login before it', async () => {
    const agent = await started();
    let letGo: () => void = () => undefined;
    token.gate = new Promise((resolve) => {
      letGo = resolve;
    });
    const unlocking = unlock(agent, 'right');
    const locking = agent.lock('prod');
    const again = unlock(agent, 'right');
    await new Promise(setImmediate);
    expect(() => agent.get('prod')).toThrow(locked());
    letGo();
    await Promise.all([unlocking, locking, again]);
    expect(agent.get('prod').name).toBe('prod');
    expect(token.mostAtOnce).toBe(1);
    expect(token.open).toBe(2);
  });

  it('ends what was tried again by itself', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    writePin('right');
    token.away = true;
    const agent = await started({ withFile: true, optional: true });
    expect(() => agent.get('prod')).toThrow(
      expect.objectContaining({ kind: 'backend_unavailable' }),
    );
    await agent.lock('prod');
    token.away = false;
    await passSeconds(120);
    expect(() => agent.get('prod')).toThrow(locked());
    expect(token.tried).toEqual([]);
  });
});

it('a token that is away is tried again with the PIN of the file, whatever an operator gave', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  writePin('right');
  token.away = true;
  const agent = await started({ withFile: true, optional: true });
  await expect(unlock(agent, 'given')).rejects.toMatchObject({ kind: 'backend_unavailable' });
  token.away = false;
  await passSeconds(120);
  expect(token.tried).toEqual(['right']);
  expect(token.open).toBe(2);
  expect(agent.get('prod').name).toBe('prod');
});

it('a keyring that lost its login is closed before it is opened with another PIN', async () => {
  const agent = await started();
  await unlock(agent, 'right');
  token.outage = { kind: 'locked', message: 'the token has ended the login' };
  token.pin = 'new';
  await expect(unlock(agent, 'wrong')).rejects.toEqual(locked());
  expect(token.open).toBe(1);
  token.outage = null;
  await unlock(agent, 'new');
  expect(agent.get('prod').name).toBe('prod');
});

it('a file keyring has no PIN, and an unknown one is not there', async () => {
  const agent = await started();
  await expect(agent.lock('ci')).rejects.toMatchObject({ kind: 'not_supported' });
  await expect(agent.unlock('ci', Buffer.from('x'), false)).rejects.toMatchObject({
    kind: 'not_supported',
  });
  await expect(agent.lock('other')).rejects.toMatchObject({ kind: 'not_found' });
  await expect(agent.unlock('other', Buffer.from('x'), false)).rejects.toMatchObject({
    kind: 'not_found',
  });
});

it('a PIN file that is not there, and a token that is away, end the start', async () => {
  await expect(keyrings({ withFile: true }).open()).rejects.toThrow(KeyringError);
  writePin('right');
  token.away = true;
  await expect(keyrings({ withFile: true }).open()).rejects.toThrow(KeyringError);
  expect(token.open).toBe(0);
});

it('stops with everything closed, also what was being opened', async () => {
  const agent = await started();
  let letGo: () => void = () => undefined;
  token.gate = new Promise((resolve) => {
    letGo = resolve;
  });
  const unlocking = expect(unlock(agent, 'right')).rejects.toMatchObject({
    kind: 'shutting_down',
  });
  const waiting = expect(agent.lock('prod')).rejects.toMatchObject({ kind: 'shutting_down' });
  while (token.atOnce === 0) await new Promise(setImmediate);
  const closing = agent.close();
  letGo();
  await Promise.all([unlocking, waiting, closing]);
  expect(token.tried).toEqual(['right']);
  expect(token.open).toBe(0);
  await expect(unlock(agent, 'right')).rejects.toMatchObject({ kind: 'shutting_down' });
});
