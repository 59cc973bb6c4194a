import { describe, expect, test } from 'vitest';
import {
  answerBytes,
  longestOfSigner,
  readAnswer,
  signerRequest,
  type SignerAnswer,
  type SignerRequest,
} from '../../src/vault/host/signer-frames.ts';
import { mostHeld, signUntilEnd } from '../../src/vault/host/signer-loop.ts';

const signatureBytes = 64;

function request(message: string | Buffer, round = 0): Buffer {
  return signerRequest({
    algorithm: 'ed25519',
    round,
    session: Buffer.from('0000000000000001', 'hex'),
    key: Buffer.from('0000000000000002', 'hex'),
    publicKey: Buffer.alloc(32, 3),
    message: Buffer.from(message),
  });
}

/** A signature that tells what was signed. */
function signed({ message }: SignerRequest): SignerAnswer {
  return { is: 'signed', signature: Buffer.alloc(signatureBytes, message) };
}

/** Runs the loop on input that comes in these pieces; `times` is what the clock says, one after the other. */
function run(
  pieces: readonly Buffer[],
  sign: (request: SignerRequest) => SignerAnswer = signed,
  times: number[] = [],
): { readonly writes: readonly number[]; readonly answers: readonly SignerAnswer[] } {
  const input = [...pieces];
  const written: Buffer[] = [];
  signUntilEnd({
    read: (into, offset) => {
      const piece = input.shift();
      if (piece === undefined) return 0;
      const taken = piece.copy(into, offset);
      if (taken < piece.length) input.unshift(piece.subarray(taken));
      return taken;
    },
    write: (bytes) => written.push(Buffer.from(bytes)),
    sign,
    now: () => times.shift() ?? 0,
  });
  const all = Buffer.concat(written);
  return {
    writes: written.map(({ length }) => length / answerBytes),
    answers: Array.from({ length: all.length / answerBytes }, (_, n) =>
      readAnswer(all, n * answerBytes),
    ),
  };
}

const texts = (answers: readonly SignerAnswer[]): string[] =>
  answers.map((answer) =>
    answer.is === 'signed' ? String.fromCharCode(answer.signature[0] ?? 0) : answer.is,
  );

describe('a thread that signs', () => {
  test('says first that it takes requests', () => {
    expect(run([])).toEqual({ writes: [1], answers: [{ is: 'ready' }] });
  });

  test('answers in order, what came together in one write', () => {
    const { writes, answers } = run([Buffer.concat([request('a'), request('b'), request('c')])]);
    expect(texts(answers)).toEqual(['ready', 'a', 'b', 'c']);
    expect(writes).toEqual([1, 3]);
  });

  test('waits for no more than so many before it writes', () => {
    const all = Array.from({ length: mostHeld + 2 }, () => request('a'));
    expect(run([Buffer.concat(all)]).writes).toEqual([1, mostHeld, 2]);
  });

  test('lets no answer wait for a slow signature', () => {
    const requests = ['a', 'b', 'c', 'd', 'e'].map((text) => request(text));
    // Of `ready`, of the read, and of each answer.
    const { writes } = run([Buffer.concat(requests)], signed, [0, 10, 110, 111, 112, 113, 114]);
    expect(writes).toEqual([1, 1, 3, 1]);
  });

  test('finds requests in pieces of any size', () => {
    const all = Buffer.concat([request('a'), request('bcd'), request('e')]);
    for (let size = 1; size <= all.length; size += 7) {
      const pieces: Buffer[] = [];
      for (let at = 0; at < all.length; at += size) pieces.push(all.subarray(at, at + size));
      expect(texts(run(pieces).answers)).toEqual(['ready', 'a', 'b', 'e']);
    }
  });

  test('has room for the longest messages, one behind the other', () => {
    const longest = Buffer.alloc(longestOfSigner, 'x');
    const all = Buffer.concat(Array.from({ length: 20 }, () => request(longest)));
    const lengths: number[] = [];
    run([all], (each) => {
      lengths.push(each.message.length);
      return signed(each);
    });
    expect(lengths).toEqual(Array.from({ length: 20 }, () => longestOfSigner));
  });

  test('after a failure tries nothing of that round, and all of the next', () => {
    const tried: string[] = [];
    const { answers } = run(
      [
        Buffer.concat([request('a', 255), request('!', 255), request('b', 255)]),
        Buffer.concat([request('c', 255), request('d', 0), request('e', 0)]),
      ],
      (each) => {
        tried.push(each.message.toString());
        if (each.message.toString() !== '!') return signed(each);
        return { is: 'failed', failure: { step: 'sign', value: 0x8000_0123 } };
      },
    );
    expect(texts(answers)).toEqual(['ready', 'a', 'failed', 'skipped', 'skipped', 'd', 'e']);
    expect(answers[2]).toEqual({ is: 'failed', failure: { step: 'sign', value: 0x8000_0123 } });
    expect(tried).toEqual(['a', '!', 'd', 'e']);
  });

  test('a wrong signature is no failure: the next one is made', () => {
    const { answers } = run([Buffer.concat([request('!'), request('b')])], (each) =>
      each.message.toString() === '!' ? { is: 'wrong' } : signed(each),
    );
    expect(texts(answers)).toEqual(['ready', 'wrong', 'b']);
  });
});

test('what is asked of a thread arrives as it was', () => {
  const seen: SignerRequest[] = [];
  const asked = {
    algorithm: 'es256' as const,
    round: 7,
    session: Buffer.from('0102030405060708', 'hex'),
    key: Buffer.from('1112131415161718', 'hex'),
    publicKey: Buffer.alloc(65, 4),
    message: Buffer.from('message'),
  };
  run([signerRequest(asked)], (each) => {
    seen.push(each);
    return signed(each);
  });
  expect(seen).toEqual([asked]);
});

test('an answer that is none is refused', () => {
  expect(() => readAnswer(Buffer.alloc(answerBytes, 9), 0)).toThrow('a frame with a value');
});
