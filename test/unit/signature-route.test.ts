import { expect, test } from 'vitest';
import type { HostCall, Lent } from '../../src/vault/host/messages.ts';
import { SignatureRoute, type RouteProcess } from '../../src/vault/host/signature-route.ts';
import type { SignerJob } from '../../src/vault/host/signer-channel.ts';
import type { VaultKey } from '../../src/vault/vault.ts';

type MainAnswer = Parameters<RouteProcess['sign']>[2];

const lent: Lent = { longest: 100, sessions: ['0000000000000001'] };
const keyOf = (n: number): VaultKey => ({
  objectId: `0${n}`,
  publicKey: Buffer.alloc(32, n),
});

/** A route with one thread, whose side and whose main thread's the test plays. */
async function rig(): Promise<{
  /** `where` it was sent. */
  readonly send: (key: VaultKey) => 'main' | 'thread' | 'after a failure';
  readonly main: MainAnswer[];
  readonly thread: SignerJob[];
  readonly prove: (key: VaultKey) => void;
  readonly renew: () => void;
}> {
  const main: MainAnswer[] = [];
  const thread: SignerJob[] = [];
  const sent: ('main' | 'thread' | 'after a failure')[] = [];
  const process: RouteProcess = {
    sign: (_signature, _timeLimit, answer) => {
      sent.push('main');
      main.push(answer);
    },
    signAfter: (_signature, _met, _timeLimit, answer) => {
      sent.push('after a failure');
      main.push(answer);
    },
    call: <Result>({ op }: HostCall) => {
      expect(op).toBe('lend');
      return Promise.resolve(lent as Result);
    },
    signers: [
      {
        isReady: true,
        ready: Promise.resolve(),
        length: 0,
        window: 2,
        send: (_request, job) => {
          sent.push('thread');
          thread.push(job);
        },
      },
    ],
  };
  const route = new SignatureRoute({
    ...{ process, vault: 1, algorithm: 'ed25519', sessions: 4, callTimeout: 1000 },
    onThreads: () => undefined,
    onNoThreads: () => undefined,
  });
  const answer = { resolve: () => undefined, reject: () => undefined };
  const send = (key: VaultKey): 'main' | 'thread' | 'after a failure' => {
    expect(route.send({ key, message: Buffer.of(1) }, answer, false)).toBe(true);
    return sent.at(-1) ?? 'main';
  };
  const prove = (key: VaultKey): void => {
    expect(send(key)).toBe('main');
    main.pop()?.resolve(Buffer.alloc(64 + 8, 1));
  };
  prove(keyOf(1));
  await new Promise(setImmediate); // the lending
  const renew = (): void => {
    route.renewed(0, '0000000000000002');
  };
  return { send, main, thread, prove, renew };
}

test('a key is proved by the main thread; then threads sign with it', async () => {
  const { send, thread, prove } = await rig();
  prove(keyOf(2));
  expect(send(keyOf(1))).toBe('thread');
  expect(send(keyOf(2))).toBe('thread');
  expect(thread).toHaveLength(2);
});

test('a wrong signature: the main thread is asked next, which proves the key anew', async () => {
  const { send, thread, prove } = await rig();
  send(keyOf(1));
  thread.pop()?.wrong();
  prove(keyOf(1));
  expect(send(keyOf(1))).toBe('thread');
});

test('a failure on a thread: every handle may be stale, and is asked for anew', async () => {
  const { send, thread, main, prove, renew } = await rig();
  prove(keyOf(2));
  send(keyOf(1));
  thread.pop()?.failed({ step: 'init', value: 0x82 });
  renew();
  main.pop()?.resolve(Buffer.alloc(64 + 8, 1));
  prove(keyOf(2));
  expect(send(keyOf(1))).toBe('thread');
});
