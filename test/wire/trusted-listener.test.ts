import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { connect } from '../../src/client/connect.ts';
import { agentctl } from '../support/cli-session.ts';
import { InProcessAgent } from '../support/in-process-agent.ts';

const other = 12_345;
const apiKey = `sa_ci_${'0'.repeat(64)}`;

let folder: string;
let socket: string;
let impostor: ChildProcess;
/** What came in there. */
let received: string[];

/** Takes whatever is sent, and answers everything with `{}`, as a user who bound the name first. */
const script = `
  const answer = (line) => JSON.stringify({ jsonrpc: '2.0', id: JSON.parse(line).id, result: {} }) + '\\n';
  require('node:net').createServer((client) => {
    require('node:readline').createInterface({ input: client }).on('line', (line) => {
      console.log(line);
      client.write(answer(line));
    });
  }).listen(process.argv[1], () => {
    require('node:fs').chmodSync(process.argv[1], 0o666);
    console.log('listening');
  });
`;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'impostor-'));
  chmodSync(folder, 0o1777);
  socket = join(folder, 'agent.sock');
  received = [];
  const command = [`--reuid=${other}`, `--regid=${other}`, '--clear-groups', process.execPath];
  impostor = spawn('setpriv', [...command, '-e', script, socket], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  if (impostor.stdout === null) throw new Error('stdout is a pipe');
  const lines = createInterface({ input: impostor.stdout });
  lines.on('line', (line) => received.push(line));
  await once(lines, 'line');
  received = [];
});
afterEach(async () => {
  const ended = once(impostor, 'exit');
  impostor.kill();
  await ended;
  rmSync(folder, { recursive: true });
});

describe('whoever has bound the name first', () => {
  test('gets no API key, and nothing else of that connection', async () => {
    await expect(connect({ socket, apiKey })).rejects.toMatchObject({
      name: 'ConnectionError',
      reason: 'untrusted',
      message: expect.stringContaining(`uid ${other}, neither root nor you`) as string,
    });
    const client = await connect({ socket });
    await expect(client.authenticate(apiKey)).rejects.toMatchObject({ reason: 'untrusted' });
    await client.call('ping');
    await client.close();
    expect(received.join('\n')).not.toContain(apiKey);
    expect(received.map((line) => (JSON.parse(line) as { method: string }).method)).toEqual([
      'ping',
    ]);
  });

  test('gets no PIN and no keys', async () => {
    const client = await connect({ socket });
    const calls = [
      client.call('unlock', { pin: 'secret' }),
      client.call('import_key', { key_file: 'secret' }),
      client.call('restore', { keystore_b64: 'secret' }),
    ];
    for (const call of calls) await expect(call).rejects.toMatchObject({ reason: 'untrusted' });
    await client.call('ping');
    await client.close();
    expect(received.join('\n')).not.toContain('secret');
  });

  test('is the agent where its user is named, by uid', async () => {
    for (const agentUser of [other, String(other)]) {
      const client = await connect({ socket, agentUser });
      await client.call('unlock', { pin: 'secret' });
      await client.close();
    }
    const nobody = await connect({ socket, agentUser: 'no-such-user' });
    await expect(nobody.call('unlock', { pin: 'x' })).rejects.toMatchObject({
      reason: 'untrusted',
    });
    await nobody.close();
    expect(received).toHaveLength(2);
  });

  test('gets nothing either when the agent has bound the name since', async () => {
    const client = await connect({ socket });
    await client.call('ping');
    rmSync(socket);
    const agent = createServer().listen(socket);
    await once(agent, 'listening');
    try {
      await expect(client.call('unlock', { pin: 'secret' })).rejects.toMatchObject({
        reason: 'untrusted',
      });
      await client.call('ping');
      expect(received.join('\n')).not.toContain('secret');
    } finally {
      await client.close();
      agent.close();
    }
  });

  test('agentctl says what it did not do, and how it is done', async () => {
    const file = join(folder, 'key');
    writeFileSync(file, apiKey, { mode: 0o600 });
    const flags = ['--socket', socket, '--api-key-file', file];
    const { code, err } = await agentctl([...flags, 'status']);
    expect(code).toBe(1);
    expect(err).toContain('no secret was sent');
    expect(err).toContain('--agent-user');
    expect(received).toEqual([]);
    await agentctl([...flags, '--agent-user', String(other), 'status']);
    expect(received[0]).toContain(apiKey);
  });
});

test('an agent of this user gets them, wherever its socket is', async () => {
  const running = await new InProcessAgent().start();
  try {
    const admin = await connect({ socket: running.socket });
    const { secret } = await admin.apikeyCreate('ci', 'app');
    const client = await connect({ socket: running.socket, apiKey: secret ?? '' });
    expect(await client.whoami()).toMatchObject({ api_key: 'ci' });
    await Promise.all([client.close(), admin.close()]);
  } finally {
    await running.remove();
  }
});
