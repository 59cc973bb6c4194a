import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { PeerCredentials } from '../../src/native/peer-credentials.ts';
import type { Share } from '../../src/access/share.ts';
import { openLibc } from '../../src/native/libc.ts';
import { FrameScheduler } from '../../src/server/socket/frame-scheduler.ts';
import { Lanes } from '../../src/server/socket/lanes.ts';
import { LongFrames } from '../../src/server/socket/long-frames.ts';
import { socketLimits, type SocketLimits } from '../../src/server/socket/limits.ts';
import { lines } from '../../src/server/json-rpc/line-framing.ts';
import { listen, type Listener, type ListenerOptions } from '../../src/server/socket/listener.ts';
import { AlreadyRunningError } from '../../src/files/state-dir-lock.ts';

const libc = openLibc();
const log = pino({ level: 'silent' });
type Answer = (frame: Buffer) => Promise<string>;
const ofRoot = { kind: 'own', name: 'uid 0' } as const;
const stranger = { kind: 'stranger', name: 'all' } as const;
const echo: Answer = (frame) => Promise.resolve(`echo ${frame.toString()}`);

let directory: string;
let path: string;
let listener: Listener | null;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'socket-'));
  path = join(directory, 'agent.sock');
  listener = null;
});
afterEach(() => {
  vi.useRealTimers();
  listener?.close();
  rmSync(directory, { recursive: true });
});

interface Settings extends Partial<Omit<ListenerOptions<string>, 'limits' | 'accept'>> {
  limits?: Partial<SocketLimits>;
  accept?: (peer: PeerCredentials) => Answer;
  /** Asked before every frame. */
  maxFrameBytes?: () => number | null;
  closed?: () => void;
  /** Of the caller, asked at every frame. */
  share?: () => Share;
}

async function start({
  limits,
  accept = () => echo,
  maxFrameBytes = () => null,
  closed = () => undefined,
  share = () => ofRoot,
  ...options
}: Settings = {}): Promise<Listener> {
  const usual = socketLimits({
    maxFrameBytes: 1000,
    maxConnections: 100,
    maxConnectionsPerUid: 100,
  });
  listener = await listen({
    path,
    mode: 0o600,
    group: null,
    framing: lines,
    shared: {
      lanes: new Lanes(),
      scheduler: new FrameScheduler(() => performance.now()),
      longFrames: new LongFrames(1000),
    },
    libc,
    log,
    accept: (peer) => ({
      answer: accept(peer),
      get share() {
        return share();
      },
      unfinished: (frame) => `unfinished ${frame.toString()}`,
      get maxFrameBytes() {
        return maxFrameBytes();
      },
      closed,
    }),
    ...options,
    limits: { ...usual, ...limits },
  });
  return listener;
}

async function open(): Promise<Socket> {
  const socket = connect({ path, allowHalfOpen: true });
  await once(socket, 'connect');
  return socket;
}

/** Everything the agent sends until it closes. */
async function readAll(socket: Socket): Promise<string> {
  let text = '';
  socket.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
  await once(socket, 'end');
  return text;
}

async function readLine(socket: Socket): Promise<string> {
  const [chunk] = (await once(socket, 'data')) as [Buffer];
  return chunk.toString();
}

/** Unlike `once` of node:events it takes no notice of errors: a connection that is cut may show EPIPE first. */
async function closed(socket: Socket): Promise<void> {
  socket.on('error', () => undefined).resume();
  if (!socket.closed) await new Promise((resolve) => socket.once('close', resolve));
}

interface ErrorLine {
  id: unknown;
  error: { data: { kind: string; limit?: number }; message: string };
}

function parseError(line: string): ErrorLine {
  return JSON.parse(line) as ErrorLine;
}

/** A promise with its resolve beside it. */
function gate<T = void>(): { opened: Promise<T>; open: (value: T) => void } {
  let open: (value: T) => void = () => undefined;
  const opened = new Promise<T>((resolve) => (open = resolve));
  return { opened, open };
}

describe('requests and answers', () => {
  it('answers pipelined lines, the connection stays open', async () => {
    await start();
    const socket = await open();
    socket.write('one\ntwo\n');
    expect(await readLine(socket)).toBe('echo one\necho two\n');
    socket.write('three\n');
    expect(await readLine(socket)).toBe('echo three\n');
    socket.destroy();
  });

  it('answers everything to a client that shuts its side down, then closes', async () => {
    const slow: Answer = async (frame) => {
      await new Promise(setImmediate);
      return echo(frame);
    };
    await start({ accept: () => slow });
    const lines = Array.from({ length: 5000 }, (_, index) => String(index));
    const socket = await open();
    socket.end(`${lines.join('\n')}\n`);
    const answers = (await readAll(socket)).trimEnd().split('\n');
    expect(answers).toEqual(lines.map((line) => `echo ${line}`));
  });

  it('works with nc -N', async () => {
    await start();
    const nc = spawn('nc', ['-N', '-U', path], { stdio: ['pipe', 'pipe', 'inherit'] });
    nc.stdin.end('hello\n');
    const [said] = (await once(nc.stdout, 'data')) as [Buffer];
    expect(said.toString()).toBe('echo hello\n');
    expect(await once(nc, 'exit')).toEqual([0, null]);
  });

  it('does not execute a last line without newline', async () => {
    const seen: string[] = [];
    await start({
      accept: () => (frame) => {
        seen.push(frame.toString());
        return echo(frame);
      },
    });
    const socket = await open();
    socket.end('whole\nhalf');
    const [first, second = ''] = (await readAll(socket)).split('\n');
    expect(first).toBe('echo whole');
    expect(parseError(second)).toMatchObject({
      id: null,
      error: { code: -32700, data: { kind: 'parse_error' } },
    });
    expect(seen).toEqual(['whole']);
  });

  it('tells who is calling', async () => {
    const peers: PeerCredentials[] = [];
    await start({
      accept: (peer) => {
        peers.push(peer);
        return echo;
      },
    });
    const socket = await open();
    socket.end('x\n');
    await readAll(socket);
    const { pid } = process;
    const groups = process.getgroups?.() ?? [];
    const [peer] = peers;
    expect(peers).toHaveLength(1);
    expect(peer).toMatchObject({ pid, uid: process.getuid?.(), gid: process.getgid?.() });
    // Node names the first group among the others as well, the kernel does not have to.
    expect(new Set([peer?.gid, ...(peer?.groups ?? [])])).toEqual(
      new Set([process.getgid?.(), ...groups]),
    );
  });

  // Another user's groups can be had only by root, which is who CI is.
  it.runIf(process.getuid?.() === 0).each([0, 1, 32, 33, 1000])(
    'tells all of %i supplementary groups',
    async (count) => {
      const peers: PeerCredentials[] = [];
      chmodSync(directory, 0o711);
      await start({
        mode: 0o666,
        accept: (peer) => {
          peers.push(peer);
          return echo;
        },
      });
      const groups = Array.from({ length: count }, (_, index) => 100_001 + index);
      const given = count === 0 ? '--clear-groups' : `--groups=${groups.join()}`;
      const caller = spawn(
        'setpriv',
        ['--reuid=65534', '--regid=65533', given, 'nc', '-N', '-U', path],
        { stdio: ['pipe', 'ignore', 'inherit'] },
      );
      caller.stdin.end('x\n');
      expect(await once(caller, 'exit')).toEqual([0, null]);
      expect(peers).toEqual([{ pid: caller.pid, uid: 65534, gid: 65533, groups }]);
    },
  );

  it('survives clients that vanish with requests in work', async () => {
    const started = gate();
    const finish = gate();
    let told = 0;
    const agent = await start({
      accept: () => async (frame) => {
        started.open();
        await finish.opened;
        return echo(frame);
      },
      closed: () => (told += 1),
    });
    const socket = await open();
    socket.write('x\ny\n');
    await started.opened;
    socket.destroy();
    await once(socket, 'close');
    expect([agent.open, told]).toEqual([1, 0]);
    finish.open();
    await agent.drain(5000);
    expect([agent.open, told]).toEqual([0, 1]);
  });
});

describe('limits of a request', () => {
  it('refuses a frame over the limit before its newline, after the answers that are due', async () => {
    await start();
    const socket = await open();
    socket.write(`first\n${'x'.repeat(1001)}`);
    const [first, second = ''] = (await readAll(socket)).split('\n');
    expect(first).toBe('echo first');
    expect(parseError(second)).toMatchObject({
      id: null,
      error: { code: -32008, data: { kind: 'too_large', limit: 1000 } },
    });
    socket.destroy();
  });

  it('takes longer lines of a client from the one on that allows them, and shorter ones', async () => {
    let limit: number | null = 10;
    await start({
      maxFrameBytes: () => limit,
      accept: () => (frame) => {
        limit = frame.toString() === 'longer' ? null : limit;
        limit = frame.toString() === 'shorter' ? 10 : limit;
        return Promise.resolve(String(frame.length));
      },
    });
    const socket = await open();
    // In one write: what stands behind the line goes by it.
    const [long, tooLong] = ['x'.repeat(1000), 'x'.repeat(11)];
    socket.write(`longer\n${long}\nshorter\n${'x'.repeat(10)}\n${tooLong}\n${long}\n`);
    const lines = (await readAll(socket)).trimEnd().split('\n');
    expect(lines.slice(0, -1)).toEqual(['6', '1000', '7', '10']);
    expect(parseError(lines.at(-1) ?? '').error.data).toEqual({ kind: 'too_large', limit: 10 });
    socket.destroy();
  });

  it('a client is never allowed more than the agent takes', async () => {
    await start({ maxFrameBytes: () => 5000 });
    const socket = await open();
    socket.write('x'.repeat(1001));
    expect(parseError(await readAll(socket)).error.data.limit).toBe(1000);
    socket.destroy();
  });

  it('lets a client read the refusal that is still sending, and ends it all the same', async () => {
    await start();
    const socket = await open();
    socket.on('error', () => undefined);
    const block = Buffer.alloc(64 * 1024, 'x');
    const send = (): void => {
      while (!socket.destroyed && socket.write(block));
      if (!socket.destroyed) socket.once('drain', send);
    };
    send();
    const said = gate<string>();
    socket.once('data', (chunk) => {
      said.open(chunk.toString());
    });
    expect(parseError(await said.opened).error.data.kind).toBe('too_large');
    // Never stops by itself: it is the agent who closes.
    await closed(socket);
  });

  it('closes on a frame that is not complete in time', async () => {
    await start({ limits: { frameDeadlineMs: 50 } });
    const socket = await open();
    socket.write('begin');
    const line = parseError(await readAll(socket));
    expect(line).toMatchObject({ id: null, error: { data: { kind: 'invalid_request' } } });
    socket.destroy();
  });

  it('counts the time from the first byte of that frame, and lets idle connections be', async () => {
    await start({ limits: { frameDeadlineMs: 200 } });
    const socket = await open();
    const idle = await open();
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
    vi.advanceTimersByTime(1000);
    // Always some frame unfinished, none for long, over more than twice the deadline.
    socket.write('ab\na');
    expect(await readLine(socket)).toBe('echo ab\n');
    for (let elapsed = 0; elapsed < 500; elapsed += 150) {
      vi.advanceTimersByTime(150);
      socket.write('b\na');
      expect(await readLine(socket)).toBe('echo ab\n');
    }
    vi.advanceTimersByTime(199);
    socket.end('b\n');
    expect(await readAll(socket)).toBe('echo ab\n');
    idle.write('still here\n');
    expect(await readLine(idle)).toBe('echo still here\n');
    idle.destroy();
  });
});

describe('backpressure', () => {
  it('hands on no more than the requests a connection may have in flight', async () => {
    let inFlight = 0;
    let most = 0;
    const slow: Answer = async (frame) => {
      most = Math.max(most, ++inFlight);
      await new Promise(setImmediate);
      inFlight--;
      return echo(frame);
    };
    await start({ accept: () => slow, limits: { maxInFlightPerConnection: 10 } });
    const socket = await open();
    socket.end('x\n'.repeat(2000));
    expect((await readAll(socket)).length).toBe('echo x\n'.length * 2000);
    expect(most).toBe(10);
  });

  it('hands on no more than the bytes a connection may have in flight', async () => {
    let inFlight = 0;
    let most = 0;
    const slow: Answer = async ({ length }) => {
      most = Math.max(most, (inFlight += length));
      await new Promise(setImmediate);
      inFlight -= length;
      return 'ok';
    };
    await start({ accept: () => slow, limits: { maxInFlightBytesPerConnection: 2000 } });
    const socket = await open();
    socket.end(`${'x'.repeat(900)}\n`.repeat(300));
    expect(await readAll(socket)).toBe('ok\n'.repeat(300));
    expect(most).toBe(2700);
  });

  it('stops reading from a client that does not read, and goes on when it does', async () => {
    let handedOn = 0;
    const big = 'x'.repeat(10_000);
    await start({
      accept: () => () => {
        handedOn++;
        return Promise.resolve(big);
      },
    });
    const socket = await open();
    socket.pause();
    const requests = 20_000;
    socket.end('r\n'.repeat(requests));
    // It has stopped once a bystander was served many times over and nothing more was handed on.
    const bystander = await open();
    for (let before = -1; before !== handedOn;) {
      before = handedOn;
      for (let turn = 0; turn < 50; turn++) {
        bystander.write('b\n');
        let got = 0;
        while (got < big.length + 1) got += (await readLine(bystander)).length;
      }
      before += 50;
    }
    bystander.destroy();
    // The kernel's buffer and one turn, of 200 MB.
    expect(handedOn).toBeLessThan(1000);
    let received = 0;
    socket.on('data', (chunk) => (received += chunk.length));
    socket.resume();
    await once(socket, 'end');
    expect(received).toBe(requests * (big.length + 1));
  });
});

describe('limits of connections', () => {
  it.each([
    ['all', { maxConnections: 2 }, { code: -32011, data: { kind: 'overloaded' } }],
    [
      'one user',
      { maxConnectionsPerUid: 2 },
      { code: -32007, data: { kind: 'rate_limited', retry_after_ms: 1000 } },
    ],
  ])(
    'refuses one too many of %s with a reason, and takes the next when one has gone',
    async (_, limits, error) => {
      const agent = await start({ limits });
      const first = await open();
      const second = await open();
      const third = await open();
      third.write('x\n');
      const line = parseError(await readAll(third));
      expect(line).toMatchObject({
        id: null,
        error,
      });
      third.destroy();
      expect(agent.accepted).toBe(2);
      first.end();
      await once(first.resume(), 'close');
      while (agent.open > 1) await new Promise(setImmediate);
      const fourth = await open();
      fourth.write('x\n');
      expect(await readLine(fourth)).toBe('echo x\n');
      for (const socket of [second, fourth]) socket.destroy();
    },
  );

  it('refuses whoever the kernel does not name', async () => {
    const nameless = {
      ...libc,
      peerCredentials() {
        throw new Error('no credentials');
      },
    };
    const agent = await start({ libc: nameless });
    const socket = await open();
    const end = closed(socket);
    socket.end('x\n');
    await end;
    expect(agent.accepted).toBe(0);
  });
});

describe('one user beside another', () => {
  it('is served in order while the other has thousands of requests in many connections', async () => {
    // Of its own clock, which goes on at every look: a turn of the event loop has room for some frames.
    let now = 0;
    const shared = {
      lanes: new Lanes(),
      scheduler: new FrameScheduler(() => (now += 0.05)),
      longFrames: new LongFrames(1000),
    };
    const order: string[] = [];
    const who = new Map<string, Share>();
    let connecting = 'flood';
    await start({
      shared,
      accept: () => (frame) => {
        order.push(frame.toString());
        return echo(frame);
      },
      share: () => shareOf(connecting),
    });
    function shareOf(name: string): Share {
      const share = who.get(name) ?? { kind: 'user', name };
      who.set(name, share);
      return share;
    }
    const flood = await Promise.all(Array.from({ length: 50 }, () => open()));
    const [first] = flood;
    if (first === undefined) throw new Error('nobody floods');
    for (const socket of flood) socket.on('data', () => undefined);
    // Every connection has said where it counts when it is accepted.
    first.write('ready\n');
    await once(first, 'data');
    connecting = 'other';
    const other = await open();
    other.write('hello\n');
    expect(await readLine(other)).toBe('echo hello\n');
    for (const socket of flood) socket.write('x\n'.repeat(400));
    for (const name of ['one', 'two', 'three']) {
      other.write(`${name}\n`);
      expect(await readLine(other)).toBe(`echo ${name}\n`);
    }
    expect(order.filter((frame) => frame === 'x').length).toBeLessThan(50 * 400);
    expect(order.filter((frame) => frame.length > 1).slice(-3)).toEqual(['one', 'two', 'three']);
    for (const socket of [...flood, other]) socket.destroy();
  });

  it('has nothing done for it any more once it is gone', async () => {
    const started = gate();
    const finish = gate();
    const seen: string[] = [];
    const agent = await start({
      limits: { maxInFlightPerConnection: 1 },
      accept: () => async (frame) => {
        seen.push(frame.toString());
        started.open();
        await finish.opened;
        return echo(frame);
      },
    });
    const socket = await open();
    socket.write('one\ntwo\nthree\n');
    await started.opened;
    await closed(socket.destroy());
    finish.open();
    while (agent.open > 0) await new Promise(setImmediate);
    expect(seen).toEqual(['one']);
  });

  it('is let go where it takes no answers', async () => {
    const agent = await start({
      limits: { unsentDeadlineMs: 20 },
      accept: () => () => Promise.resolve('x'.repeat(1_000_000)),
    });
    const socket = await open();
    socket.pause().write('r\n');
    while (agent.open === 0) await new Promise(setImmediate);
    while (agent.open > 0) await new Promise(setImmediate);
    socket.destroy();
  });
});

describe('callers without a scope', () => {
  const user = { kind: 'user', name: 'uid 1001' } as const;

  it('have few connections together, and leave room where they get a scope', async () => {
    let share: Share = stranger;
    await start({ limits: { maxConnectionsWithoutScope: 1 }, share: () => share });
    const first = await open();
    first.write('x\n');
    expect(await readLine(first)).toBe('echo x\n');
    const second = await open();
    expect(parseError(await readAll(second))).toMatchObject({
      id: null,
      error: { code: -32007, data: { kind: 'rate_limited', retry_after_ms: 1000 } },
    });
    share = user;
    first.write('authenticates\n');
    expect(await readLine(first)).toBe('echo authenticates\n');
    share = stranger;
    const third = await open();
    third.write('y\n');
    expect(await readLine(third)).toBe('echo y\n');
    for (const socket of [first, second, third]) socket.destroy();
  });

  it('are disconnected where they ask nothing, and told why', async () => {
    await start({ limits: { idleWithoutScopeMs: 20 }, share: () => stranger });
    const socket = await open();
    const { id, error } = parseError(await readAll(socket));
    expect([id, error.data.kind]).toEqual([null, 'invalid_request']);
    expect(error.message).toContain('authenticate');
    socket.destroy();
  });

  it('are not, once they have a scope', async () => {
    let share: Share = stranger;
    await start({ limits: { idleWithoutScopeMs: 1000 }, share: () => share });
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
    const socket = await open();
    share = user;
    socket.write('authenticates\n');
    expect(await readLine(socket)).toBe('echo authenticates\n');
    vi.advanceTimersByTime(10_000);
    socket.write('still here\n');
    expect(await readLine(socket)).toBe('echo still here\n');
    socket.destroy();
  });
});

describe('a share that a connection comes to by what it says', () => {
  it('has no more connections than one that it was accepted for', async () => {
    const withKey = { kind: 'user', name: 'key ci' } as const;
    let share: Share = stranger;
    const agent = await start({ limits: { maxConnectionsPerUid: 1 }, share: () => share });
    const first = await open();
    share = withKey;
    first.write('first\n');
    expect(await readLine(first)).toBe('echo first\n');
    share = stranger;
    const second = await open();
    while (agent.accepted < 2) await new Promise(setImmediate);
    share = withKey;
    second.write('second\n');
    const [answer, lastWords] = (await readAll(second)).split('\n');
    expect(answer).toBe('echo second');
    expect(parseError(lastWords ?? '').error.data.kind).toBe('rate_limited');
    first.write('again\n');
    expect(await readLine(first)).toBe('echo again\n');
    for (const socket of [first, second]) socket.destroy();
  });

  it('may have as many as it may, each with an object of its own for it', async () => {
    const agent = await start({
      limits: { maxConnectionsPerUid: 2 },
      share: () => ({ kind: 'user', name: 'uid 1001' }),
    });
    const [first, second] = [await open(), await open()];
    while (agent.accepted < 2) await new Promise(setImmediate);
    for (const socket of [first, second, first, second]) {
      socket.write('x\n');
      expect(await readLine(socket)).toBe('echo x\n');
    }
    for (const socket of [first, second]) socket.destroy();
  });

  it('has its deadline, where a scope was taken back', async () => {
    let share: Share = { kind: 'user', name: 'uid 1001' };
    await start({ limits: { idleWithoutScopeMs: 20 }, share: () => share });
    const socket = await open();
    share = stranger;
    socket.write('x\n');
    const [answer, lastWords] = (await readAll(socket)).split('\n');
    expect(answer).toBe('echo x');
    expect(parseError(lastWords ?? '').error.data.kind).toBe('invalid_request');
    socket.destroy();
  });
});

it('who waits for room for answers goes on when others of its share were sent theirs', async () => {
  const [large, small] = [1_000_000, 60_000];
  const [first, second] = [gate(), gate()];
  const answers: Readonly<Record<string, () => Promise<string>>> = {
    large: () => Promise.resolve('x'.repeat(large)),
    first: () => first.opened.then(() => 'x'.repeat(small)),
    second: () => second.opened.then(() => 'second'),
    third: () => Promise.resolve('third'),
  };
  const agent = await start({
    accept: () => (frame) => answers[frame.toString()]?.() ?? Promise.reject(new Error('who?')),
    share: () => stranger,
  });
  const [takesNothing, takes, waits] = [await open(), await open(), await open()];
  takesNothing.pause().write('large\n');
  takes.resume().write('first\nsecond\n');
  while (agent.accepted < 3) await new Promise(setImmediate);
  await new Promise((resolve) => setImmediate(resolve));
  // Read when the first is answered, and before that is sent.
  waits.write('third\n');
  first.open();
  expect(await readLine(waits)).toBe('third\n');
  second.open();
  for (const socket of [takesNothing, takes, waits]) socket.destroy();
});

it('a few connections are kept for root, whoever has the others', async () => {
  let share: Share = { kind: 'user', name: 'uid 1001' };
  await start({
    limits: { maxConnections: 10, maxConnectionsPerUid: 10 },
    share: () => share,
  });
  const sockets = [];
  for (let count = 0; count < 9; count += 1) {
    const socket = await open();
    socket.write('x\n');
    expect(await readLine(socket)).toBe('echo x\n');
    sockets.push(socket);
  }
  const tenth = await open();
  expect(parseError(await readAll(tenth)).error.data.kind).toBe('overloaded');
  share = ofRoot;
  const root = await open();
  root.write('root\n');
  expect(await readLine(root)).toBe('echo root\n');
  for (const socket of [...sockets, tenth, root]) socket.destroy();
});

it('of frames that are not whole only some are read on, and each of them gets to its end', async () => {
  const long = 'x'.repeat(60_000);
  await start({
    limits: { maxFrameBytes: 100_000 },
    shared: {
      lanes: new Lanes(),
      scheduler: new FrameScheduler(() => performance.now()),
      longFrames: new LongFrames(8 * 1024 * 1024),
    },
    share: () => stranger,
    accept: () => (frame) => Promise.resolve(String(frame.length)),
  });
  const sockets = await Promise.all(Array.from({ length: 8 }, () => open()));
  for (const socket of sockets) socket.write(long.slice(1));
  for (const socket of sockets) socket.write('x\n');
  const answers = await Promise.all(sockets.map((socket) => readLine(socket)));
  expect(answers).toEqual(sockets.map(() => '60000\n'));
  for (const socket of sockets) socket.destroy();
});

describe('the socket file', () => {
  it('has the configured mode whatever the umask, in a directory of mode 0700', async () => {
    const previous = process.umask(0);
    try {
      await start({ path: join(directory, 'run', 'agent.sock'), mode: 0o660 });
      expect(process.umask(0)).toBe(0);
    } finally {
      process.umask(previous);
    }
    expect(statSync(join(directory, 'run')).mode & 0o7777).toBe(0o700);
    expect(statSync(join(directory, 'run', 'agent.sock')).mode & 0o7777).toBe(0o660);
    expect(readdirSync(join(directory, 'run'))).toEqual(['agent.sock']);
  });

  it('belongs to the configured group', async () => {
    const group = process.getegid?.() ?? 0;
    await start({ mode: 0o620, group });
    expect(statSync(path)).toMatchObject({ gid: group });
    expect(statSync(path).mode & 0o7777).toBe(0o620);
  });

  it('replaces a stale socket', async () => {
    const dead = createServer().listen(path);
    await once(dead, 'listening');
    const kept = join(directory, 'kept');
    renameSync(path, kept);
    dead.close();
    await once(dead, 'close');
    renameSync(kept, path);
    await start();
    const socket = await open();
    socket.end('x\n');
    expect(await readAll(socket)).toBe('echo x\n');
  });

  it('removes sockets that killed agents never gave their name, not those of living ones', async () => {
    const long = '0123456789abcdef';
    const made = async (name: string, lives: boolean): Promise<void> => {
      const server = createServer().listen(join(directory, 'made'));
      await once(server, 'listening');
      renameSync(join(directory, 'made'), join(directory, name));
      if (lives) living.push(server);
      else server.close();
    };
    const living: ReturnType<typeof createServer>[] = [];
    const names = [`.agent.sock.${long}`, `.agent.sock.${long.replace('0', 'f')}`];
    const [dead = '', alive = ''] = names;
    await made(dead, false);
    await made(alive, true);
    await made(`.other.sock.${long}`, false);
    (await start()).close();
    // None is old enough to be abandoned.
    expect(readdirSync(directory).sort()).toEqual([...names, `.other.sock.${long}`].sort());
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 120_000 });
    (await start()).close();
    expect(readdirSync(directory).sort()).toEqual([alive, `.other.sock.${long}`].sort());
    for (const server of living) server.close();
  });

  it('leaves a living agent alone', async () => {
    const first = await start();
    await expect(start()).rejects.toBeInstanceOf(AlreadyRunningError);
    const socket = await open();
    socket.end('x\n');
    expect(await readAll(socket)).toBe('echo x\n');
    first.close();
  });

  it('refuses a symbolic link, a file, a long path, a directory that others may write', async () => {
    symlinkSync(join(directory, 'elsewhere'), path);
    await expect(start()).rejects.toThrow(`${path} is a symbolic link`);
    rmSync(path);
    writeFileSync(path, 'precious');
    await expect(start()).rejects.toThrow(`${path} is there and is not a socket`);
    rmSync(path);
    await expect(start({ path: join(directory, 'x'.repeat(100)) })).rejects.toThrow('at most 107');
    chmodSync(directory, 0o777);
    await expect(start()).rejects.toThrow(`chmod go-w ${directory}`);
  });

  it('takes a path of exactly 107 bytes', async () => {
    const longest = join(directory, 'x'.repeat(107 - directory.length - 1));
    await start({ path: longest });
    expect(readdirSync(directory)).toEqual([longest.slice(directory.length + 1)]);
  });

  it('is removed on close, but not if it is another one by then', async () => {
    (await start()).close();
    expect(readdirSync(directory)).toEqual([]);
    const agent = await start();
    rmSync(path);
    writeFileSync(path, 'someone else');
    agent.close();
    expect(readdirSync(directory)).toEqual(['agent.sock']);
  });
});

describe('drain', () => {
  it('answers what was handed on, then closes', async () => {
    const started = gate();
    const finish = gate();
    const agent = await start({
      accept: () => async (frame) => {
        started.open();
        await finish.opened;
        return echo(frame);
      },
    });
    const busy = await open();
    const idle = await open();
    busy.write('one\ntwo\n');
    await started.opened;
    const drained = agent.drain(5000);
    expect(readdirSync(directory)).toEqual([]);
    finish.open();
    const ending = [busy, idle].map(async (socket) => {
      const text = await readAll(socket);
      socket.end();
      return text;
    });
    expect(await Promise.all(ending)).toEqual(['echo one\necho two\n', '']);
    await drained;
    expect(agent.open).toBe(0);
  });

  it('answers whatever lies in a socket, also what was not read yet since enough was in work', async () => {
    const started = gate();
    const finish = gate();
    const agent = await start({
      limits: { maxInFlightPerConnection: 2 },
      accept: () => async (frame) => {
        started.open();
        await finish.opened;
        return echo(frame);
      },
    });
    const socket = await open();
    const numbers = Array.from({ length: 5000 }, (_, index) => String(index));
    // As a client that waits for room in the socket before it goes on: the kernel takes a part of it at once.
    socket.write(`${numbers.join('\n')}\nhalf a li`);
    await started.opened;
    const drained = agent.drain(60_000);
    finish.open();
    const answers = (await readAll(socket)).trimEnd().split('\n');
    expect(answers.sort()).toEqual(numbers.map((number) => `echo ${number}`).sort());
    socket.end();
    await drained;
  });

  it('accepts who has connected before, and answers what was sent', async () => {
    const agent = await start();
    const clients = 40;
    const written = new Int32Array(new SharedArrayBuffer(4));
    // In another thread, so that this one can be kept from accepting them.
    const worker = new Worker(
      `const { connect } = require('node:net');
      const { parentPort, workerData: { path, clients, written } } = require('node:worker_threads');
      for (let number = 0; number < clients; number += 1) {
        let text = '';
        const socket = connect(path);
        socket.setEncoding('utf8').on('data', (chunk) => (text += chunk));
        socket.on('end', () => parentPort.postMessage(text));
        socket.write('from ' + number + '\\n', () => {
          Atomics.add(written, 0, 1);
          Atomics.notify(written, 0);
        });
      }`,
      { eval: true, workerData: { path, clients, written } },
    );
    const answers: string[] = [];
    const told = gate();
    worker.on('message', (text: string) => {
      if (answers.push(text) === clients) told.open();
    });
    for (let seen = 0; seen < clients; seen = Atomics.load(written, 0)) {
      Atomics.wait(written, 0, seen);
    }
    expect(agent.accepted).toBe(0);
    await Promise.all([agent.drain(60_000), told.opened]);
    expect(answers.sort()).toEqual(
      Array.from({ length: clients }, (_, number) => `echo from ${number}\n`).sort(),
    );
    await worker.terminate();
  });

  it('is not held up by a client that never stops sending', async () => {
    const agent = await start();
    const socket = await open();
    const block = 'x\n'.repeat(4096);
    const send = (): void => {
      while (!socket.destroyed && socket.write(block));
    };
    socket.on('error', () => undefined).on('drain', send);
    send();
    await once(socket, 'data');
    socket.resume();
    await agent.drain(600_000);
    expect(agent.open).toBe(0);
  });

  it('says of what is in work at the end of its time that it was not finished, and says no more', async () => {
    const started = gate();
    const finish = gate();
    const agent = await start({
      accept: () => async (frame) => {
        started.open();
        await finish.opened;
        return echo(frame);
      },
    });
    const socket = await open();
    socket.write('x\ny\n');
    await started.opened;
    const drained = agent.drain(50);
    const all = readAll(socket);
    await once(socket, 'data');
    finish.open();
    expect(await all).toBe('unfinished x\nunfinished y\n');
    socket.end();
    await drained;
  });

  it('ends after the time it was given, whether or not the client reads', async () => {
    const agent = await start({ accept: () => () => Promise.resolve('x'.repeat(1_000_000)) });
    const socket = await open();
    socket.write('x\n');
    await once(socket, 'readable');
    await agent.drain(50);
    expect((await readAll(socket)).length).toBeLessThan(1_000_000);
    socket.destroy();
  });
});
