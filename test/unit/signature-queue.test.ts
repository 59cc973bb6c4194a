import { describe, expect, it } from 'vitest';
import { SignatureQueue } from '../../src/vault/file/signature-queue.ts';

const signature = Buffer.from('signature');

/** A queue that notes where each signature was made, by the length of its message. */
function rig() {
  const made: string[] = [];
  const finish: (() => void)[] = [];
  const queue = new SignatureQueue((_key: string, message, done) => {
    made.push(`${message.length} ${done === null ? 'in place' : 'in the pool'}`);
    if (done === null) return signature;
    finish.push(() => {
      done(null, signature);
    });
    return null;
  });
  const sign = (length: number): Promise<Uint8Array> => queue.sign('key', Buffer.alloc(length));
  const finishAll = (): void => {
    for (const one of finish.splice(0)) one();
  };
  return { made, sign, finishAll };
}

describe('a queue of signatures', () => {
  it('makes one that is asked for alone in place', async () => {
    const { made, sign } = rig();
    await expect(sign(32)).resolves.toBe(signature);
    await expect(sign(8192)).resolves.toBe(signature);
    expect(made).toEqual(['32 in place', '8192 in place']);
  });

  it('gives a long message to the pool, alone or not', async () => {
    const { made, sign, finishAll } = rig();
    const long = sign(8193);
    await new Promise(setImmediate);
    expect(made).toEqual(['8193 in the pool']);
    finishAll();
    await expect(long).resolves.toBe(signature);
  });

  it('gives several of one turn to the pool, and those that come while it works', async () => {
    const { made, sign, finishAll } = rig();
    const first = [sign(1), sign(2)];
    await new Promise(setImmediate);
    const third = sign(3);
    await new Promise(setImmediate);
    expect(made).toEqual(['1 in the pool', '2 in the pool', '3 in the pool']);
    finishAll();
    await Promise.all([...first, third]);
    await sign(4);
    expect(made.at(-1)).toBe('4 in place');
  });
});
