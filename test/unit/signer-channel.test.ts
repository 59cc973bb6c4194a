import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { HostEnd } from '../../src/vault/host/host-end.ts';
import { SignerChannel, type SignerJob } from '../../src/vault/host/signer-channel.ts';
import {
  answerBytes,
  readSignerRequest,
  requestLength,
  writeAnswer,
  type SignerAnswer,
} from '../../src/vault/host/signer-frames.ts';
import { mostHeld } from '../../src/vault/host/signer-loop.ts';

let folder: string;
let thread: Socket;
let channel: SignerChannel;
let ends: (() => void)[];
let nonsense: string[];
let events: string[];
let due: number[];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'signer-channel-'));
  const server = createServer().listen(join(folder, 's'));
  await once(server, 'listening');
  const socket = connect(join(folder, 's'));
  [thread] = (await once(server, 'connection')) as [Socket];
  [nonsense, events, due] = [[], [], []];
  channel = new SignerChannel({
    socket,
    due: (time) => due.push(time),
    onNonsense: (reason) => nonsense.push(reason),
    onClose: () => undefined,
  });
  ends = [() => socket.destroy(), () => thread.destroy(), () => server.close()];
});
afterEach(() => {
  for (const end of ends) end();
  rmSync(folder, { recursive: true });
});

const crash: HostEnd = { isExpected: false, reason: 'it crashed' };

function ask(name: string): void {
  const job: SignerJob = {
    timeLimit: 1000,
    signed: (signature) => events.push(`${name} signed ${String(signature[0])}`),
    wrong: () => events.push(`${name} wrong`),
    failed: ({ step, value }) => events.push(`${name} failed ${step} ${value}`),
    skipped: () => events.push(`${name} skipped`),
    lost: ({ isExpected }) => events.push(`${name} ${isExpected ? 'not begun' : 'begun'}`),
  };
  const handles = { session: Buffer.alloc(8), key: Buffer.alloc(8), publicKey: Buffer.alloc(32) };
  channel.send({ algorithm: 'ed25519', ...handles, message: Buffer.from(name) }, job);
}

/** The rounds of so many requests, as the thread receives them. */
async function rounds(count: number): Promise<number[]> {
  let bytes = Buffer.alloc(0);
  const found: number[] = [];
  for (let at = 0; found.length < count;) {
    const length = requestLength(bytes, at, bytes.length);
    if (length === null || at + length > bytes.length) {
      const [piece] = (await once(thread, 'data')) as [Buffer];
      bytes = Buffer.concat([bytes, piece]);
      continue;
    }
    found.push(readSignerRequest(bytes, at, at + length).round);
    at += length;
  }
  return found;
}

/** Sends answers, in pieces of that size, and resolves when there are that many events. */
async function answer(answers: readonly SignerAnswer[], size = Infinity): Promise<void> {
  const bytes = Buffer.alloc(answers.length * answerBytes);
  for (const [n, each] of answers.entries()) writeAnswer(bytes, n * answerBytes, each);
  const before = events.length + nonsense.length;
  for (let at = 0; at < bytes.length; at += size) {
    thread.write(bytes.subarray(at, at + size));
    await new Promise(setImmediate);
  }
  while (events.length + nonsense.length < before + answers.length) {
    await new Promise(setImmediate);
  }
}

const signed = (first: number): SignerAnswer => ({
  is: 'signed',
  signature: Buffer.alloc(64, first),
});

test('answers come to whom they are for, in any pieces', async () => {
  for (const name of ['a', 'b', 'c']) ask(name);
  await rounds(3);
  expect(channel.length).toBe(3);
  await answer([signed(1), { is: 'wrong' }, signed(3)], 10);
  expect(events).toEqual(['a signed 1', 'b wrong', 'c signed 3']);
  expect(channel.length).toBe(0);
  expect(channel.dueAt).toBe(Infinity);
});

test('a failure begins another round', async () => {
  for (const name of ['a', 'b']) ask(name);
  expect(await rounds(2)).toEqual([0, 0]);
  await answer([{ is: 'failed', failure: { step: 'init', value: 5 } }, { is: 'skipped' }]);
  expect(events).toEqual(['a failed init 5', 'b skipped']);
  ask('c');
  expect(await rounds(1)).toEqual([1]);
});

test('it takes requests once the thread says so', async () => {
  expect(channel.isReady).toBe(false);
  const bytes = Buffer.alloc(answerBytes);
  writeAnswer(bytes, 0, { is: 'ready' });
  thread.write(bytes);
  await channel.ready;
  expect(channel.isReady).toBe(true);
});

test('the time limit is that of the first, from the moment when it became the first', async () => {
  ask('a');
  ask('b');
  expect(due).toHaveLength(1);
  expect(channel.dueAt).toBe(due[0]);
  await rounds(2);
  await answer([signed(1)]);
  expect(channel.dueAt).toBeGreaterThan(due[0] ?? Infinity);
});

test('at the end of the process only what may have been begun is to blame', () => {
  for (let n = 0; n < mostHeld + 2; n += 1) ask(String(n));
  channel.lose(crash);
  expect(events).toEqual(
    Array.from({ length: mostHeld + 2 }, (_, n) => `${n} ${n < mostHeld ? 'begun' : 'not begun'}`),
  );
});

test('an answer to nothing, or of no kind, is nonsense', async () => {
  await answer([signed(1)]);
  expect(nonsense).toEqual(['an answer to nothing']);
});

test('after nonsense nothing is taken for an answer', async () => {
  ask('a');
  await rounds(1);
  thread.on('error', () => undefined); // nobody reads what comes next
  const closed = new Promise((resolve) => thread.on('close', resolve));
  const bytes = Buffer.alloc(2 * answerBytes, 0xff);
  writeAnswer(bytes, answerBytes, signed(1));
  thread.write(bytes.subarray(0, answerBytes));
  while (nonsense.length === 0) await new Promise(setImmediate);
  thread.write(bytes.subarray(answerBytes));
  thread.end();
  await closed;
  expect(events).toEqual([]);
  channel.lose(crash);
  expect(events).toEqual(['a begun']);
});

test('a thread that signs slowly has less ahead of it', async () => {
  const before = channel.window;
  for (let n = 0; n < 200; n += 1) {
    ask('a');
    await rounds(1);
    await answer([signed(1)]);
  }
  expect(channel.window).toBeGreaterThan(before);
});
