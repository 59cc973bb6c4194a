import { once } from 'node:events';
import { readFileSync, renameSync, statSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import {
  decodePublicKey,
  decodeSignature,
  encodePublicKey,
} from '../../src/formats/ssh/public-key.ts';
import { SshReader, sshString, uint32 } from '../../src/formats/ssh/wire.ts';
import { algorithms } from '../../src/algorithms/algorithm.ts';
import { InProcessAgent } from '../support/in-process-agent.ts';
import { LineClient } from '../support/line-client.ts';
import { makeToken } from '../support/softhsm.ts';
import {
  extensionRequest,
  failure,
  listRequest,
  lockRequest,
  signRequest,
  SshAgentClient,
  success,
  unlockRequest,
} from '../support/ssh-agent-client.ts';

const config = '[ssh_agent]\nkeyrings = ["ci", "default"]\n[keyrings.default]\n[keyrings.ci]\n';
const data = Buffer.from('to be signed');

let agent: InProcessAgent;
let path: string;
const clients: SshAgentClient[] = [];
beforeEach(async () => {
  agent = await new InProcessAgent(config).start();
  path = join(agent.folder, 'ssh.sock');
});
afterEach(async () => {
  for (const client of clients.splice(0)) client.close();
  await agent.remove();
});

async function open(): Promise<SshAgentClient> {
  const client = await SshAgentClient.open(path);
  clients.push(client);
  return client;
}

/** One request on the agent's own socket. */
async function call(method: string, params: object = {}): Promise<Record<string, unknown>> {
  const client = await LineClient.open(agent.socket);
  const { result, error } = await client.call(method, params);
  client.close();
  if (result === undefined) throw new Error(error?.message);
  return result;
}

function verifies(blob: Buffer, message: Buffer, signature: Buffer | null): boolean {
  const key = decodePublicKey(blob);
  const made = signature === null ? null : decodeSignature(signature);
  if (key === null || made?.algorithm !== key.algorithm) return false;
  return algorithms[key.algorithm].verify(message, made.raw, key.bytes);
}

describe('identities', () => {
  test('are the valid keys of the keyrings, in their order, the active one first', async () => {
    const before = await call('active_key_id', { keyring: 'default' });
    const { new_active_kid } = await call('rotate', { keyring: 'default', grace_seconds: 60 });
    await call('prepare', { keyring: 'default' });
    const ci = await call('active_key_id', { keyring: 'ci' });
    const client = await open();
    const names = async () => (await client.list()).map(({ comment }) => comment);
    expect(await names()).toEqual([
      `ci/${String(ci['kid'])}`,
      `default/${String(new_active_kid)}`,
      `default/${String(before['kid'])}`,
    ]);
    agent.clock.advance(60);
    expect(await names()).toEqual([`ci/${String(ci['kid'])}`, `default/${String(new_active_kid)}`]);
  });

  test('of a keyring that is away are left out, and come back with it', async () => {
    const file = agent.stateFile('ci');
    const client = await open();
    const [away] = await client.list();
    const blob = away?.blob ?? Buffer.alloc(0);
    renameSync(file, `${file}.away`);
    const { kid } = await call('active_key_id', { keyring: 'default' });
    const [other, ...more] = await client.list();
    expect(other?.comment).toBe(`default/${String(kid)}`);
    expect(more).toEqual([]);
    const otherBlob = other?.blob ?? blob;
    expect(verifies(otherBlob, data, await client.sign(otherBlob, data))).toBe(true);
    expect(await client.sign(blob, data)).toBeNull();
    renameSync(`${file}.away`, file);
    expect(await client.list()).toHaveLength(2);
    expect(verifies(blob, data, await client.sign(blob, data))).toBe(true);
  });

  test('of a keyring that is locked are left out until it is unlocked', async () => {
    const token = await makeToken();
    token.use();
    await agent.stop();
    const uri = token.uri.replace(/[?&]pin-source=[^&]*/, '');
    agent.configuration = `${config}\n[keyrings.hsm]\nbackend = "pkcs11"\nuri = "${uri}"\n`.replace(
      '"ci"',
      '"hsm"',
    );
    await agent.start();
    const client = await open();
    expect(await client.list()).toHaveLength(1);
    await call('unlock', { keyring: 'hsm', pin: readFileSync(token.pinFile, 'utf8').trim() });
    const [first] = await client.list();
    expect(first?.comment).toMatch(/^hsm\//);
    const blob = first?.blob ?? Buffer.alloc(0);
    expect(verifies(blob, data, await client.sign(blob, data))).toBe(true);
    await call('lock', { keyring: 'hsm' });
    expect(await client.list()).toHaveLength(1);
    expect(await client.sign(blob, data)).toBeNull();
    await agent.stop();
    await token.remove();
  });

  test('have the blobs of the public keys', async () => {
    const { kid } = await call('active_key_id', { keyring: 'ci' });
    const { public_key_b64 } = await call('public_key_b64', { keyring: 'ci', kid });
    const [first] = await (await open()).list();
    const bytes = Buffer.from(String(public_key_b64), 'base64url');
    expect(first?.blob).toEqual(encodePublicKey('ed25519', bytes));
  });
});

describe('signatures', () => {
  test('verify; of any length, the empty message too; and are counted', async () => {
    const client = await open();
    const keys = await client.list();
    expect(keys).toHaveLength(2);
    for (const { blob } of keys) {
      for (const length of [0, 1, 32, 100_000, 256 * 1024 - 200]) {
        const message = Buffer.alloc(length, 7);
        expect(verifies(blob, message, await client.sign(blob, message))).toBe(true);
      }
    }
    expect(agent.agent.status().counters).toMatchObject({ signatures: 10, errors: 0 });
  });

  test('flags that are about RSA keys are nothing to others; unknown ones are refused', async () => {
    const client = await open();
    const [key] = await client.list();
    const blob = key?.blob ?? Buffer.alloc(0);
    for (const flags of [0, 2, 4, 6]) {
      expect(verifies(blob, data, await client.sign(blob, data, flags))).toBe(true);
    }
    for (const flags of [1, 8, 0x8000_0000, 0xffff_ffff]) {
      expect(await client.sign(blob, data, flags)).toBeNull();
    }
  });

  test('a rotation is seen by a client that is connected, and so is the end of a grace', async () => {
    const client = await open();
    const [, old] = await client.list();
    const oldBlob = old?.blob ?? Buffer.alloc(0);
    await call('rotate', { keyring: 'default', grace_seconds: 60 });
    const [, next] = await client.list();
    expect(next?.blob).not.toEqual(oldBlob);
    for (const blob of [oldBlob, next?.blob ?? oldBlob]) {
      expect(verifies(blob, data, await client.sign(blob, data))).toBe(true);
    }
    agent.clock.advance(60);
    expect(await client.sign(oldBlob, data)).toBeNull();
    expect(await client.list()).toHaveLength(2);
  });

  test('a revoked key, a prepared one, one of nobody and one of another kind sign nothing', async () => {
    const client = await open();
    const [, active] = await client.list();
    const { kid } = await call('active_key_id', { keyring: 'default' });
    const prepared = await call('prepare', { keyring: 'default' });
    await call('revoke', { keyring: 'default', kid });
    const bytes = Buffer.from(String(prepared['public_key_b64']), 'base64url');
    const blobs = [
      active?.blob ?? Buffer.alloc(0),
      encodePublicKey('ed25519', Buffer.alloc(32, 9)),
      encodePublicKey('es256', Buffer.alloc(65, 4)),
      Buffer.concat([sshString('ssh-rsa'), sshString('e'), sshString('n')]),
      Buffer.alloc(0),
    ];
    for (const blob of blobs) expect(await client.sign(blob, data)).toBeNull();
    // The prepared key has become the active one.
    const blob = encodePublicKey('ed25519', bytes);
    expect(verifies(blob, data, await client.sign(blob, data))).toBe(true);
  });

  test('what the audit log signs is signed for nobody else', async () => {
    const client = await open();
    const [key] = await client.list();
    const message = Buffer.from('signing-agent/audit/v1\n{"v":1}');
    expect(await client.sign(key?.blob ?? message, message)).toBeNull();
  });
});

describe('requests behind each other', () => {
  test('are answered in their order, each with its own answer', async () => {
    const client = await open();
    const keys = await client.list();
    const blob = keys[0]?.blob ?? Buffer.alloc(0);
    const messages = Array.from({ length: 100 }, (_, index) => Buffer.from(`message ${index}`));
    const asked = messages.flatMap((message, index) => [
      signRequest(blob, message),
      index % 3 === 0 ? listRequest : Buffer.of(19),
    ]);
    const answers = await client.ask(...asked);
    messages.forEach((message, index) => {
      const reader = new SshReader(answers[2 * index] ?? failure);
      expect(reader.byte()).toBe(14);
      expect(verifies(blob, message, reader.string())).toBe(true);
      expect(answers[2 * index + 1]?.[0]).toBe(index % 3 === 0 ? 12 : 5);
    });
  });

  test('a lock counts for what comes behind it', async () => {
    const client = await open();
    const [key] = await client.list();
    const sign = signRequest(key?.blob ?? Buffer.alloc(0), data);
    const answers = await client.ask(lockRequest('x'), sign, unlockRequest('x'), sign);
    expect(answers.map((answer) => answer[0])).toEqual([6, 5, 6, 14]);
  });

  test('are answered to a client that shuts its side down, then the connection is closed', async () => {
    const client = await open();
    client.send(...Array.from({ length: 500 }, () => listRequest));
    client.socket.end();
    await client.closed;
    expect(client.answers).toHaveLength(500);
    expect(new Set(client.answers.map((answer) => answer[0]))).toEqual(new Set([12]));
  });
});

describe('lock', () => {
  test('hides the keys of this user on every connection, until it is unlocked', async () => {
    const client = await open();
    const other = await open();
    const [key] = await client.list();
    const blob = key?.blob ?? Buffer.alloc(0);
    expect(await client.ask(lockRequest('secret'))).toEqual([success]);
    for (const one of [client, other]) {
      expect(await one.list()).toEqual([]);
      expect(await one.sign(blob, data)).toBeNull();
      expect(await one.ask(lockRequest('secret'))).toEqual([failure]);
    }
    expect(await other.ask(unlockRequest('wrong'))).toEqual([failure]);
    expect(await other.ask(unlockRequest('secret'))).toEqual([success]);
    expect(await client.list()).toHaveLength(2);
    expect(verifies(blob, data, await client.sign(blob, data))).toBe(true);
    expect(await client.ask(unlockRequest('secret'))).toEqual([failure]);
  });

  test('is about this socket alone', async () => {
    const client = await open();
    await client.ask(lockRequest('secret'));
    expect(await call('sign', { message_b64: 'aGVsbG8' })).toHaveProperty('signature_b64');
  });
});

describe('extensions', () => {
  test('query names those that there are', async () => {
    const client = await open();
    const [answer = failure] = await client.ask(extensionRequest('query'));
    const reader = new SshReader(answer);
    expect(reader.byte()).toBe(29);
    const names = [];
    while (!reader.atEnd) names.push(reader.text());
    expect(names).toEqual(['query', 'query', 'session-bind@openssh.com']);
  });

  test('unknown ones are refused, and the connection goes on', async () => {
    const client = await open();
    const asked = ['', 'lock@example.com', 'restrict-destination-v00@openssh.com'];
    const answers = await client.ask(...asked.map((name) => extensionRequest(name, uint32(1))));
    expect(answers).toEqual([failure, failure, failure]);
    expect(await client.list()).toHaveLength(2);
  });
});

test('every message that is not known is refused, and the connection goes on', async () => {
  const client = await open();
  const known = [11, 13, 22, 23, 27];
  const types = Array.from({ length: 256 }, (_, type) => type).filter(
    (one) => !known.includes(one),
  );
  const answers = await client.ask(...types.map((type) => Buffer.of(type, 1, 2, 3)));
  expect(answers).toEqual(types.map(() => failure));
  expect(await client.list()).toHaveLength(2);
});

describe('hostile bytes', () => {
  test('every truncation of every request is refused, and so is what goes on behind its end', async () => {
    const client = await open();
    const [key] = await client.list();
    const whole = [
      listRequest,
      signRequest(key?.blob ?? Buffer.alloc(0), data),
      unlockRequest('secret'),
      extensionRequest('query'),
      extensionRequest('session-bind@openssh.com', sshString('key'), sshString('id')),
    ];
    for (const message of whole) {
      const cut = Array.from({ length: message.length - 1 }, (_, at) =>
        message.subarray(0, at + 1),
      );
      const asked = [...cut, Buffer.concat([message, Buffer.of(0)])];
      expect(await client.ask(...asked)).toEqual(asked.map(() => failure));
    }
    expect(await client.list()).toHaveLength(2);
  });

  test('a request cut off by the end of the connection is not executed', async () => {
    const [key] = await (await open()).list();
    const request = sshString(signRequest(key?.blob ?? Buffer.alloc(0), data));
    for (let at = 1; at < request.length; at += 5) {
      const client = await open();
      client.socket.end(request.subarray(0, at));
      await client.closed;
      expect(client.answers).toEqual([failure]);
    }
    expect(agent.agent.status().counters.signatures).toBe(0);
  });

  test('byte by byte is as good as in one piece', async () => {
    const client = await open();
    const [key] = await client.list();
    const blob = key?.blob ?? Buffer.alloc(0);
    for (const byte of sshString(signRequest(blob, data))) {
      client.socket.write(Buffer.of(byte));
      await new Promise(setImmediate);
    }
    await client.until(2);
    const reader = new SshReader(client.answers[1] ?? failure);
    expect(reader.byte()).toBe(14);
    expect(verifies(blob, data, reader.string())).toBe(true);
  });

  test.each([
    ['of no length', uint32(0)],
    ['of one byte more than 256 KiB', uint32(256 * 1024 + 1)],
    ['of 4 GiB', uint32(0xffff_ffff)],
  ])(
    'a message %s is refused behind what is due, and the connection is closed',
    async (_what, bytes) => {
      const client = await open();
      client.socket.write(Buffer.concat([sshString(listRequest), bytes, sshString(listRequest)]));
      await client.closed;
      expect(client.answers.map((answer) => answer[0])).toEqual([12, 5]);
    },
  );

  test('random bytes never end the agent and are never signed', async () => {
    const type = fc.constantFrom(11, 13, 22, 23, 27, 17, 0);
    const message = fc
      .tuple(type, fc.uint8Array({ maxLength: 200 }))
      .map(([first, rest]) => sshString(Buffer.concat([Buffer.of(first), rest])));
    const stream = fc.oneof(
      fc.uint8Array({ minLength: 1, maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
      fc.array(message, { minLength: 1, maxLength: 10 }).map((all) => Buffer.concat(all)),
    );
    await fc.assert(
      fc.asyncProperty(stream, async (bytes) => {
        const client = await SshAgentClient.open(path);
        client.socket.end(bytes);
        await client.closed;
        for (const answer of client.answers) expect([5, 6, 12]).toContain(answer[0]);
      }),
      { numRuns: 300 },
    );
    expect(agent.agent.status().counters.signatures).toBe(0);
    while (agent.agent.status().ssh_agent?.open !== 0) await new Promise(setImmediate);
  });

  test('any change to a valid request is refused, or signs what it says', async () => {
    const client = await open();
    const [key] = await client.list();
    const blob = key?.blob ?? Buffer.alloc(0);
    const request = signRequest(blob, data);
    const at = fc.nat(request.length - 1);
    await fc.assert(
      fc.asyncProperty(at, fc.integer({ min: 1, max: 255 }), async (place, change) => {
        const changed = Buffer.from(request);
        changed[place] = (changed[place] ?? 0) ^ change;
        const [answer = failure] = await client.ask(changed);
        if (answer[0] !== 14) return;
        const said = new SshReader(changed.subarray(1));
        const saidBlob = said.string();
        const signature = new SshReader(answer.subarray(1)).string();
        expect(verifies(saidBlob, said.string(), signature)).toBe(true);
        expect(saidBlob).toEqual(blob);
      }),
      { numRuns: 500 },
    );
  });
});

describe('the socket', () => {
  test('is open to its owner alone, and goes with the agent', async () => {
    expect(statSync(path).mode & 0o777).toBe(0o600);
    await agent.stop();
    expect(() => statSync(path)).toThrow('ENOENT');
  });

  test('has the mode that is configured', async () => {
    await agent.stop();
    agent.configuration = `[ssh_agent]\npath = "${join(agent.folder, 'other.sock')}"\nmode = "0660"`;
    await agent.start();
    expect(statSync(join(agent.folder, 'other.sock')).mode & 0o777).toBe(0o660);
    expect(agent.agent.status().ssh_agent?.path).toBe(join(agent.folder, 'other.sock'));
  });

  test('where somebody listens already the agent does not start, and leaves nothing behind', async () => {
    await agent.stop();
    const server = createServer().listen(path);
    await once(server, 'listening');
    await expect(agent.start()).rejects.toThrow(`another agent is listening on ${path}`);
    expect(() => statSync(agent.socket)).toThrow('ENOENT');
    server.close();
    await once(server, 'close');
    await agent.start();
    expect(await (await open()).list()).toHaveLength(2);
  });

  test('a socket that somebody left is replaced', async () => {
    await agent.stop();
    const server = createServer().listen(`${path}.left`);
    await once(server, 'listening');
    renameSync(`${path}.left`, path);
    server.close();
    await once(server, 'close');
    await agent.start();
    expect(await (await open()).list()).toHaveLength(2);
  });

  test('without [ssh_agent] there is none', async () => {
    await agent.stop();
    agent.configuration = '';
    await agent.start();
    expect(agent.agent.status().ssh_agent).toBeNull();
    expect(() => statSync(path)).toThrow('ENOENT');
  });

  test('a stop answers what was admitted', async () => {
    const client = await open();
    const [key] = await client.list();
    const blob = key?.blob ?? Buffer.alloc(0);
    const message = Buffer.alloc(200_000, 7);
    client.send(signRequest(blob, message));
    while (agent.agent.status().counters.requests < 2) await new Promise(setImmediate);
    await agent.stop();
    await client.closed;
    const reader = new SshReader(client.answers[1] ?? failure);
    expect(reader.byte()).toBe(14);
    expect(verifies(blob, message, reader.string())).toBe(true);
  });
});

describe('connections', () => {
  test('count over both sockets, and one too many is refused on either', async () => {
    await agent.stop();
    agent.configuration = `[socket]\nmax_connections_per_uid = 3\n${config}`;
    await agent.start();
    const lines = await LineClient.open(agent.socket);
    await lines.call('ping');
    await (await open()).list();
    const last = await open();
    await last.list();
    const refused = await open();
    await refused.closed;
    expect(refused.answers).toEqual([failure]);
    const other = await LineClient.open(agent.socket);
    await other.closed;
    expect(other.answers[0]?.error?.data.kind).toBe('rate_limited');
    last.close();
    while (agent.agent.status().ssh_agent?.open !== 1) await new Promise(setImmediate);
    expect(await (await open()).list()).toHaveLength(2);
    lines.close();
  });

  test('are told by status', async () => {
    await (await open()).list();
    const connected = connect(path);
    await once(connected, 'connect');
    while (agent.agent.status().ssh_agent?.open !== 2) await new Promise(setImmediate);
    connected.destroy();
    while (agent.agent.status().ssh_agent?.open !== 1) await new Promise(setImmediate);
    const { ssh_agent } = await call('status');
    expect(ssh_agent).toEqual({ path, open: 1, accepted: 2 });
  });
});

describe('an agent that stops', () => {
  test('answers every request that was in the socket, in their order', async () => {
    const client = await open();
    const [key] = await client.list();
    if (key === undefined) throw new Error('there is a key');
    const count = 300;
    client.send(...Array.from({ length: count }, () => signRequest(key.blob, data)));
    await client.until(10);
    await Promise.all([agent.agent.stop(), client.closed]);
    const answers = client.answers.slice(1);
    expect(answers).toHaveLength(count);
    const refusedFrom = answers.findIndex((answer) => answer.equals(failure));
    expect(refusedFrom).toBeGreaterThan(0);
    for (const answer of answers.slice(refusedFrom)) expect(answer).toEqual(failure);
  });
});
