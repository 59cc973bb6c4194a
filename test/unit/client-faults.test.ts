import type { Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import type { AgentClient } from '../../src/client/agent-client.ts';
import { connect } from '../../src/client/connect.ts';
import { FakeAgent, type Script } from '../support/fake-agent.ts';

let agent: FakeAgent;
let client: AgentClient;

async function start(script: Script): Promise<void> {
  agent = await FakeAgent.start(script);
  client = await connect({ socket: agent.path, timeoutMs: 60_000 });
}

afterEach(async () => {
  await client.close();
  await agent.remove();
});

/** Drops the connection at the first `drops` requests of the method, then answers. */
function dropping(method: string, drops: number): Script {
  let dropped = 0;
  return (request, reply, socket) => {
    if (request.method === method && dropped < drops) {
      dropped += 1;
      socket.destroy();
    } else {
      reply.result({ kid: '00000001', n: request.params['n'] });
    }
  };
}

describe('a lost connection', () => {
  it('is made again by the next call', async () => {
    await start(dropping('none', 0));
    await client.ping();
    await agent.stop();
    // The end of the connection is the next thing that the client hears of.
    for (let turn = 0; turn < 3; turn += 1) await new Promise(setImmediate);
    await expect(client.ping()).rejects.toMatchObject({ reason: 'unreachable' });
    await agent.listen();
    await client.ping();
    expect(agent.connections).toBe(2);
  });

  it('repeats what is safe to repeat, once', async () => {
    await start(dropping('active_key_id', 1));
    const calls = [client.ping(), client.activeKeyId(), client.ping()];
    await Promise.all(calls);
    expect(agent.asked('active_key_id')).toHaveLength(2);
    expect(agent.connections).toBe(2);
  });

  it('gives a repeated call up when the connection is lost again', async () => {
    await start(dropping('active_key_id', 9));
    await expect(client.activeKeyId()).rejects.toMatchObject({
      name: 'ConnectionError',
      reason: 'lost',
    });
    expect(agent.asked('active_key_id')).toHaveLength(2);
  });

  it('never repeats a change of keys and says how to see what became of it', async () => {
    await start(dropping('rotate', 9));
    await expect(client.rotate(0)).rejects.toMatchObject({
      reason: 'lost',
      message: expect.stringMatching(/unknown: list_keys .*shows it/) as string,
    });
    await expect(client.call('new_method')).resolves.toBeDefined();
    expect(agent.asked('rotate')).toHaveLength(1);
  });

  it('that cannot be made again within 2 s fails the calls that were in flight', async () => {
    await start(() => {
      // Never answers.
    });
    const call = client.ping();
    while (agent.requests.length === 0) await new Promise(setImmediate);
    await agent.stop();
    await expect(call).rejects.toMatchObject({ reason: 'unreachable' });
  });

  it('is waited for by calls that were in flight while the agent restarts', async () => {
    await start(() => {
      // Never answers.
    });
    const call = client.ping();
    while (agent.requests.length === 0) await new Promise(setImmediate);
    await agent.stop();
    setTimeout(() => void agent.listen(), 150); // it has been looked for by then
    while (agent.requests.length === 1) await new Promise(setImmediate);
    await agent.stop();
    await expect(call).rejects.toMatchObject({ reason: 'lost' });
    expect(agent.requests).toHaveLength(2);
  });

  it('does not outlive close', async () => {
    await start(() => {
      // Never answers.
    });
    const call = client.ping();
    const closed = expect(call).rejects.toMatchObject({ reason: 'lost' });
    await client.close();
    await closed;
    await expect(client.ping()).rejects.toThrow('this client was closed');
  });
});

describe('no agent', () => {
  it('is unreachable, with the reason in words', async () => {
    await start(dropping('none', 0));
    await agent.stop();
    const missing = { socket: `${agent.path}.none` };
    await expect(connect(missing)).rejects.toMatchObject({
      reason: 'unreachable',
      message: expect.stringContaining('there is no such socket') as string,
    });
    await expect(connect({ socket: `/tmp/${'x'.repeat(120)}` })).rejects.toThrow('longer than 107');
  });
});

describe('an answer that no agent gives', () => {
  const hostile: [string, string][] = [
    ['no JSON', 'hello\n'],
    ['no object', '[1]\n'],
    ['an id that was never used', '{"jsonrpc":"2.0","id":77,"result":{}}\n'],
    ['neither result nor error', '{"jsonrpc":"2.0","id":2}\n'],
    ['both', '{"jsonrpc":"2.0","id":2,"result":1,"error":{"code":1,"message":"x"}}\n'],
    ['an error of no form', '{"jsonrpc":"2.0","id":2,"error":"no"}\n'],
  ];
  it.each(hostile)('closes the connection: %s', async (_, line) => {
    await start((request, reply, socket) => {
      if (request.method === 'odd') socket.write(line);
      else reply.result({});
    });
    await expect(client.call('odd')).rejects.toMatchObject({ reason: 'protocol' });
    await client.ping();
    expect(agent.connections).toBe(2);
  });

  it('closes the connection: a line without end', async () => {
    const chunk = Buffer.alloc(1 << 20, 'x');
    const flood = (socket: Socket): void => {
      if (!socket.destroyed) {
        socket.write(chunk, () => {
          flood(socket);
        });
      }
    };
    await start((_, __, socket) => {
      flood(socket);
    });
    await expect(client.ping()).rejects.toThrow('longer than 33554432 bytes');
  });

  it('is refused where bytes are not what they should be', async () => {
    await start((_, reply) => {
      reply.result({ kid: 'k', signature_b64: 'AAAA' });
    });
    await expect(client.sign(Buffer.from('m'))).rejects.toMatchObject({ reason: 'protocol' });
  });
});

describe('an error without an id', () => {
  const tooLarge =
    '{"jsonrpc":"2.0","id":null,"error":{"code":-32008,"message":"too long","data":{"kind":"too_large","limit":1000}}}\n';

  it('is the answer to the call that was too long; the others are made again', async () => {
    await start((request, reply, socket) => {
      if (JSON.stringify(request.params).length > 1000) socket.end(tooLarge);
      else reply.result({ kid: '00000001' });
    });
    const long = client.call('sign', { message_b64: 'A'.repeat(2000) });
    const short = client.activeKeyId();
    await expect(long).rejects.toMatchObject({ kind: 'too_large', details: { limit: 1000 } });
    expect(await short).toBe('00000001');
  });

  it('is the answer to everything in flight where nothing tells them apart', async () => {
    await start((_, __, socket) => {
      socket.end(tooLarge);
    });
    const outcomes = await Promise.allSettled([client.ping(), client.activeKeyId()]);
    for (const outcome of outcomes) {
      expect(outcome).toMatchObject({ status: 'rejected', reason: { kind: 'too_large' } });
    }
  });
});

describe('an agent that does not read', () => {
  it('is given a bounded amount; calls that were given up are not sent to it', async () => {
    let reading = false;
    let paused: Socket | null = null;
    await start((request, reply, socket) => {
      if (request.method === 'pause') paused = socket.pause();
      else if (!reading) throw new Error('read while paused');
      else reply.result({ length: String(request.params['m']).length });
    });
    const pause = client.call('pause').catch(() => undefined);
    while (agent.requests.length === 0) await new Promise(setImmediate);
    const m = 'x'.repeat(1 << 20);
    const calls = Array.from({ length: 80 }, (_, n) =>
      client.call('big', { m }, n % 2 === 1 ? { timeoutMs: 100 } : {}),
    );
    const settled = Promise.allSettled(calls);
    await Promise.allSettled(calls.filter((_, n) => n % 2 === 1));
    // From here on it reads: what was given up is given up by now.
    reading = true;
    (paused as Socket | null)?.resume();
    const outcomes = await settled;
    const failed = outcomes.filter((outcome) => outcome.status === 'rejected');
    expect(failed.filter(({ reason }) => hasKind(reason, 'overloaded')).length).toBeGreaterThan(10);
    expect(failed.length).toBeGreaterThan(45);
    expect(outcomes[0]).toEqual({ status: 'fulfilled', value: { length: 1 << 20 } });
    expect(agent.asked('big').length).toBeLessThan(40);
    void pause;
  });
});

function hasKind(reason: unknown, kind: string): boolean {
  return reason instanceof Error && 'kind' in reason && reason.kind === kind;
}
