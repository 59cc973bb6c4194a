import { readFileSync, readdirSync, readlinkSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { once } from 'node:events';
import { afterEach, expect, it } from 'vitest';
import { run } from '../support/daemon.ts';
import { FaultyAgent } from '../support/faulty-agent.ts';

let agent: FaultyAgent | null = null;
afterEach(async () => {
  await agent?.remove();
  agent = null;
});

it('without a file descriptor left nobody is let in, and everything goes on when there are some again', async () => {
  agent = await FaultyAgent.start();
  const { pid } = agent.daemon;
  const limit = openFiles(pid) + 12;
  await run('prlimit', ['--pid', String(pid), `--nofile=${limit}:${limit}`]);
  // Connections until there is none: node closes what it cannot take, with a descriptor that it keeps for that and
  // gets back a moment later, so that a fixed number of them may leave one free.
  const clients: Socket[] = [];
  const openOneMore = async (): Promise<number> => {
    clients.push(await opened(agent?.daemon.socket));
    return openFiles(pid);
  };
  await expect.poll(openOneMore, { timeout: 240_000, interval: 10 }).toBe(limit);
  process.kill(agent.host(), 'SIGKILL');
  for (const client of clients) client.destroy();
  await agent.sign();
  await agent.signAtOnce(20);
});

it('SIGUSR1 opens no inspector', async () => {
  agent = await FaultyAgent.start();
  const { pid } = agent.daemon;
  process.kill(pid, 'SIGUSR1');
  await agent.sign();
  expect(listeningTcpSockets(pid)).toEqual([]);
});

it('a module that hangs does not hold up the end for long', async () => {
  agent = await FaultyAgent.start();
  const host = agent.host();
  process.kill(host, 'SIGSTOP');
  expect(await agent.daemon.stop('SIGTERM')).toBe(0);
  await expect.poll(() => isThere(host), { timeout: 240_000 }).toBe(false);
});

function openFiles(pid: number): number {
  return readdirSync(`/proc/${pid}/fd`).length;
}

async function opened(path: string | undefined): Promise<Socket> {
  const socket = connect(path ?? '');
  socket.on('error', () => null);
  await once(socket, 'connect');
  return socket;
}

/** Inodes of the TCP sockets on which a process listens (proc_pid_net(5), state 0A). */
function listeningTcpSockets(pid: number): readonly string[] {
  const own = readdirSync(`/proc/${pid}/fd`).flatMap((fd) => {
    const inode = /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/${pid}/fd/${fd}`))?.[1];
    return inode === undefined ? [] : [inode];
  });
  const listed = ['tcp', 'tcp6'].flatMap((name) =>
    readFileSync(`/proc/${pid}/net/${name}`, 'utf8')
      .split('\n')
      .map((line) => line.trim().split(/\s+/))
      .filter((columns) => columns[3] === '0A')
      .map((columns) => columns[9] ?? ''),
  );
  return listed.filter((inode) => own.includes(inode));
}

function isThere(pid: number): boolean {
  try {
    return !readFileSync(`/proc/${pid}/stat`, 'utf8').includes(') Z ');
  } catch {
    return false;
  }
}
