import { afterEach, describe, expect, it } from 'vitest';
import type { AgentClient, ConnectOptions } from '../../src/client/agent-client.ts';
import { connect } from '../../src/client/connect.ts';
import { FakeAgent, type Script } from '../support/fake-agent.ts';

let agent: FakeAgent;
let client: AgentClient | null = null;
afterEach(async () => {
  await client?.close();
  client = null;
  await agent.remove();
});

async function listen(script: Script): Promise<void> {
  agent = await FakeAgent.start(script);
}
async function open(options: ConnectOptions = {}): Promise<AgentClient> {
  client = await connect({ socket: agent.path, timeoutMs: 60_000, ...options });
  return client;
}
const methods = (): string[] => agent.requests.map(({ method }) => method);
const secret = `sa_app_${'0'.repeat(64)}`;
const refused = [-32001, 'the API key is not accepted', { kind: 'unauthenticated' }] as const;
const principal = { kind: 'api_key', name: 'app' };

describe('a client with an API key', () => {
  it.each<[string, ConnectOptions['apiKey']]>([
    ['a text', secret],
    ['a Buffer', Buffer.from(secret)],
    ['a function', () => secret],
    ['a function that takes its time', async () => Promise.resolve(Buffer.from(secret))],
  ])('authenticates first, given %s', async (_, apiKey) => {
    await listen((__, reply) => {
      reply.result({});
    });
    const connected = await open({ apiKey });
    expect(methods()).toEqual(['authenticate']);
    await connected.ping();
    expect(methods()).toEqual(['authenticate', 'ping']);
    expect(agent.requests[0]?.params).toEqual({ api_key: secret });
  });

  it('sends nothing else before it was let in', async () => {
    let letIn: () => void = () => undefined;
    let tell: () => void = () => undefined;
    const asked = new Promise<void>((resolve) => (tell = resolve));
    await listen(({ method }, reply) => {
      const answer = () => {
        reply.result({});
      };
      if (method !== 'authenticate') {
        answer();
        return;
      }
      letIn = answer;
      tell();
    });
    const connecting = open({ apiKey: secret });
    await asked;
    const before = methods();
    letIn();
    await (await connecting).ping();
    expect(before).toEqual(['authenticate']);
    expect(methods()).toEqual(['authenticate', 'ping']);
  });

  it('does so again after a connection was lost, before what is sent once more', async () => {
    let cut = true;
    await listen(({ method }, reply, socket) => {
      if (method === 'ping' && cut) {
        cut = false;
        socket.destroy();
      } else {
        reply.result({});
      }
    });
    const connected = await open({ apiKey: secret });
    await connected.ping();
    expect(methods()).toEqual(['authenticate', 'ping', 'authenticate', 'ping']);
    expect(agent.connections).toBe(2);
  });

  it('asks its source at every connection', async () => {
    const secrets = ['first', 'second'];
    await listen(({ method }, reply, socket) => {
      if (method === 'rotate') socket.destroy();
      else reply.result({});
    });
    const connected = await open({ apiKey: () => secrets.shift() ?? '' });
    await expect(connected.rotate(0)).rejects.toMatchObject({ reason: 'lost' });
    await connected.ping();
    const sent = agent.asked('authenticate').map(({ params }) => params['api_key']);
    expect(sent).toEqual(['first', 'second']);
  });

  it('is not connected where it is not accepted', async () => {
    await listen((_, reply) => {
      reply.error(...refused);
    });
    await expect(open({ apiKey: secret })).rejects.toMatchObject({
      name: 'AgentError',
      kind: 'unauthenticated',
    });
    expect(methods()).toEqual(['authenticate']);
  });

  it('fails its calls where it is accepted no more, sends none of them, and tries again later', async () => {
    let revoked = false;
    await listen(({ method }, reply, socket) => {
      if (method === 'rotate') socket.destroy();
      else if (revoked) reply.error(...refused);
      else reply.result({});
    });
    const connected = await open({ apiKey: secret });
    await expect(connected.rotate(0)).rejects.toMatchObject({ reason: 'lost' });
    revoked = true;
    const calls = await Promise.allSettled([
      connected.ping(),
      connected.ping(),
      connected.rotate(0),
    ]);
    expect(calls.map((call) => call.status === 'rejected' && (call.reason as Error).name)).toEqual(
      Array(3).fill('AgentError'),
    );
    expect(methods()).toEqual(['authenticate', 'rotate', 'authenticate']);
    revoked = false;
    await connected.ping();
    expect(methods().slice(3)).toEqual(['authenticate', 'ping']);
  });

  it('fails with the reason of a source that fails', async () => {
    await listen((_, reply) => {
      reply.result({});
    });
    const failing = open({ apiKey: () => Promise.reject(new Error('the vault is sealed')) });
    await expect(failing).rejects.toThrow('the vault is sealed');
    expect(agent.requests).toEqual([]);
  });

  it.each<[string, Script, number, object]>([
    ['hangs up', (_, __, socket) => void socket.destroy(), 60_000, { reason: 'lost' }],
    ['says nothing', () => undefined, 200, { reason: 'timeout' }],
  ])(
    'gives up on an agent that %s, and does not try for ever',
    async (_, script, timeoutMs, failure) => {
      await listen(script);
      await expect(open({ apiKey: secret, timeoutMs })).rejects.toMatchObject(failure);
      expect(agent.connections).toBe(1);
    },
  );
});

describe('authenticate', () => {
  it('answers who one is, and is kept for later connections', async () => {
    await listen(({ method }, reply, socket) => {
      if (method === 'rotate') socket.destroy();
      else reply.result({ principal });
    });
    const connected = await open();
    expect(await connected.authenticate(secret)).toEqual(principal);
    await expect(connected.rotate(0)).rejects.toMatchObject({ reason: 'lost' });
    await connected.ping();
    expect(methods()).toEqual(['authenticate', 'rotate', 'authenticate', 'ping']);
  });

  it('that is refused changes nothing', async () => {
    await listen(({ method }, reply, socket) => {
      if (method === 'rotate') socket.destroy();
      else if (method === 'authenticate') reply.error(...refused);
      else reply.result({});
    });
    const connected = await open();
    await expect(connected.authenticate(secret)).rejects.toMatchObject({ kind: 'unauthenticated' });
    await expect(connected.rotate(0)).rejects.toMatchObject({ reason: 'lost' });
    await connected.ping();
    expect(methods()).toEqual(['authenticate', 'rotate', 'ping']);
  });

  it('is never sent twice, through `call` neither', async () => {
    await listen(({ method }, reply, socket) => {
      if (method === 'authenticate') socket.destroy();
      else reply.result({});
    });
    const connected = await open();
    for (const attempt of [
      connected.authenticate(secret),
      connected.call('authenticate', { api_key: secret }),
    ]) {
      await expect(attempt).rejects.toMatchObject({ reason: 'lost' });
      await expect(attempt).rejects.toThrow(/whether authenticate was done is unknown: whoami/);
    }
    expect(methods()).toEqual(['authenticate', 'authenticate']);
  });
});
