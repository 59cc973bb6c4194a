import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { configSchema } from '../../src/config/schema.ts';
import { listenerKinds } from '../../src/server/listeners.ts';
import { InProcessAgent } from '../support/in-process-agent.ts';

let agent: InProcessAgent;
let sshSocket: string;
beforeEach(() => {
  agent = new InProcessAgent();
  sshSocket = join(agent.folder, 'ssh.sock');
});
afterEach(() => agent.remove());

describe('the listeners', () => {
  test('say of themselves that they accept, each in its member of status', async () => {
    agent.configuration = '[ssh_agent]\n';
    await agent.start();
    expect(agent.agent.status()).toMatchObject({
      connections: { open: 0, accepted: 0 },
      ssh_agent: { path: sshSocket, open: 0, accepted: 0 },
    });
    expect([existsSync(agent.socket), existsSync(sshSocket)]).toEqual([true, true]);
    await agent.stop();
    expect([existsSync(agent.socket), existsSync(sshSocket)]).toEqual([false, false]);
  });

  test('are not there where they are not configured', async () => {
    await agent.start();
    expect(agent.agent.status().ssh_agent).toBeNull();
    expect(existsSync(sshSocket)).toBe(false);
  });

  test('are all closed again where one of them cannot be opened', async () => {
    agent.configuration = '[ssh_agent]\n';
    writeFileSync(agent.socket, 'no socket');
    await expect(agent.start()).rejects.toThrow(/is not a socket/);
    expect(existsSync(sshSocket)).toBe(false);
  });

  test.each(['socket', 'ssh_agent'])(
    'open nothing where the group of %s is not here',
    async (table) => {
      agent.configuration = `[ssh_agent]\n${table === 'ssh_agent' ? '' : `[${table}]\n`}group = "no-such-group"\n`;
      await expect(agent.start()).rejects.toThrow(`${table}.group: there is no group`);
      expect(existsSync(join(agent.folder, 'state'))).toBe(false);
      expect([existsSync(agent.socket), existsSync(sshSocket)]).toEqual([false, false]);
    },
  );

  test.each(Object.values(listenerKinds).map(({ table }) => table))(
    'are configured by a table that the configuration has: %s',
    (table) => {
      expect(Object.keys(configSchema.shape)).toContain(table);
    },
  );
});
