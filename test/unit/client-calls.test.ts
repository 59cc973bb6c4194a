import { afterEach, describe, expect, it } from 'vitest';
import type { AgentClient } from '../../src/client/agent-client.ts';
import { connect } from '../../src/client/connect.ts';
import { RemoteBackend } from '../../src/client/remote-backend.ts';
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

const signature = Buffer.alloc(64, 7);
const signature_b64 = signature.toString('base64url');

describe('calls', () => {
  it('are matched by id, whatever the order of the answers', async () => {
    const waiting: (() => void)[] = [];
    await start((request, reply) => {
      waiting.push(() => {
        reply.result(request.params);
      });
      if (waiting.length < 100) return;
      for (const answer of waiting.reverse()) answer();
    });
    const calls = Array.from({ length: 100 }, (_, n) => client.call('echo', { n }));
    expect(await Promise.all(calls)).toEqual(Array.from({ length: 100 }, (_, n) => ({ n })));
    expect(agent.connections).toBe(1);
  });

  it('carry bytes as base64url and answer with bytes', async () => {
    await start((request, reply) => {
      const messages = request.params['messages_b64'];
      if (Array.isArray(messages)) {
        reply.result({ kid: '00000001', signatures_b64: messages.map(() => signature_b64) });
      } else {
        reply.result({ kid: '00000001', signature_b64 });
      }
    });
    const signed = await client.sign(Buffer.from([0xfb, 0xff]), { kid: '00000001' });
    expect(signed).toEqual({ kid: '00000001', signature });
    expect(agent.requests[0]?.params).toEqual({ kid: '00000001', message_b64: '-_8' });
    const batch = await client.signBatch([Buffer.from('a'), Buffer.alloc(0)], { keyring: 'ci' });
    expect(batch.signatures).toEqual([signature, signature]);
    expect(agent.requests[1]?.params).toEqual({ keyring: 'ci', messages_b64: ['YQ', ''] });
  });

  it('name the keyring of the client, of the backend, of the call', async () => {
    await start((_, reply) => {
      reply.result({ kid: '00000001' });
    });
    const other = await connect({ socket: agent.path, keyring: 'ci' });
    await client.activeKeyId();
    await other.activeKeyId();
    await other.activeKeyId({ keyring: 'prod' });
    await new RemoteBackend(other).activeKeyId();
    await new RemoteBackend(other, 'mine').activeKeyId();
    await other.close();
    expect(agent.requests.map((request) => request.params['keyring'])).toEqual([
      undefined,
      'ci',
      'prod',
      'ci',
      'mine',
    ]);
  });

  it('go out and come back under the names of the wire', async () => {
    await start((_, reply) => {
      reply.result({ keys: [], public_key_b64: null, pruned: 3, kid: 'k', principal: { uid: 0 } });
    });
    const backend = new RemoteBackend(client);
    expect(await backend.publicKeyB64('k')).toBeNull();
    expect(await backend.listValidPubkeys({ includePrepared: true })).toEqual([]);
    expect(await backend.pruneExpiredGrace()).toBe(3);
    await backend.rotate(60);
    await backend.prepare(5);
    await backend.prepare();
    await backend.revoke('k', 'lost');
    await backend.verify(Buffer.from('m'), signature);
    expect(await backend.listKeys()).toEqual([]);
    await backend.describeBackend();
    await client.ping();
    expect(await client.whoami()).toEqual({ uid: 0 });
    await client.status();
    expect(agent.requests.map(({ method, params }) => [method, params])).toEqual([
      ['public_key_b64', { kid: 'k' }],
      ['list_valid_pubkeys', { include_prepared: true }],
      ['prune_expired_grace', {}],
      ['rotate', { grace_seconds: 60 }],
      ['prepare', { activate_after_seconds: 5 }],
      ['prepare', {}],
      ['revoke', { kid: 'k', reason: 'lost' }],
      ['verify', { message_b64: 'bQ', signature_b64 }],
      ['list_keys', {}],
      ['describe_backend', {}],
      ['ping', {}],
      ['whoami', {}],
      ['status', {}],
    ]);
  });
});

describe('refusals of the agent', () => {
  it('arrive with their kind and details', async () => {
    await start((_, reply) => {
      reply.error(-32003, 'no key 00000001', { kind: 'unknown_kid', kid: '00000001' });
    });
    await expect(client.sign(Buffer.from('m'))).rejects.toMatchObject({
      name: 'AgentError',
      kind: 'unknown_kid',
      code: -32003,
      message: 'no key 00000001',
      details: { kid: '00000001' },
    });
  });

  it('of a kind that is newer than the client are internal and keep their message', async () => {
    await start((_, reply) => {
      reply.error(-32099, 'the moon is full', { kind: 'moon_phase', phase: 1 });
    });
    await expect(client.ping()).rejects.toMatchObject({
      kind: 'internal',
      message: 'the moon is full',
      details: { unknown_kind: 'moon_phase', phase: 1 },
    });
  });

  it('without data are told by their code', async () => {
    await start((_, reply) => {
      reply.error(-32601, 'no such method');
    });
    await expect(client.call('nope')).rejects.toMatchObject({ kind: 'method_not_found' });
  });
});

describe('deadlines and signals', () => {
  it('end a call; its late answer is dropped and the connection stays', async () => {
    const late: (() => void)[] = [];
    await start((request, reply) => {
      const answer = (): void => {
        reply.result({ n: request.params['n'] });
      };
      if (request.params['n'] === 0) late.push(answer);
      else answer();
    });
    const slow = client.call('slow', { n: 0 }, { timeoutMs: 30 });
    await expect(slow).rejects.toMatchObject({
      name: 'ConnectionError',
      reason: 'timeout',
      message: expect.stringContaining('no answer to slow within 30 ms') as string,
    });
    while (late.length === 0) await new Promise(setImmediate);
    // It comes before the answer to the next call, on the same connection.
    for (const answer of late) answer();
    expect(await client.call('fast', { n: 1 })).toEqual({ n: 1 });
    expect(agent.connections).toBe(1);
  });

  it('say what is not known of a call that changes keys', async () => {
    await start(() => {
      // Never answers.
    });
    await expect(client.rotate(0, { timeoutMs: 20 })).rejects.toThrow(
      'whether rotate was done is unknown: list_keys',
    );
    await expect(client.sign(Buffer.from('m'), { timeoutMs: 20 })).rejects.toThrow(/20 ms$/);
  });

  it('reject with the reason of the signal, before and during the call', async () => {
    await start(() => {
      // Never answers.
    });
    const reason = new Error('changed my mind');
    await expect(client.ping({ signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    const control = new AbortController();
    const calls = Array.from({ length: 50 }, () => client.ping({ signal: control.signal }));
    const warnings: Error[] = [];
    process.once('warning', (warning) => warnings.push(warning));
    while (agent.requests.length < calls.length) await new Promise(setImmediate);
    control.abort(reason);
    const outcomes = await Promise.allSettled(calls);
    expect(warnings).toEqual([]);
    expect(outcomes.every(({ status }) => status === 'rejected')).toBe(true);
    expect(agent.requests).toHaveLength(50);
    await expect(client.ping({ timeoutMs: 0 })).rejects.toThrow(RangeError);
  });
});
