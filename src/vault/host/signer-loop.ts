import {
  answerBytes,
  longestRequest,
  readSignerRequest,
  requestLength,
  writeAnswer,
  type SignerAnswer,
  type SignerRequest,
} from './signer-frames.ts';

export interface SignerLoopOptions {
  /** Waits for bytes and writes them from `offset` on; 0 at the end of the channel. */
  readonly read: (into: Buffer, offset: number) => number;
  /** Waits until all of them are written. */
  readonly write: (bytes: Buffer) => void;
  readonly sign: (request: SignerRequest) => SignerAnswer;
  /** Milliseconds. */
  readonly now: () => number;
}

/**
 * Answers that are written together, and for how many milliseconds at most the first of them waits: each write wakes the
 * agent, which costs more than the answer itself. So of what a thread was asked, the module has been given no more than
 * these before it ended.
 */
export const mostHeld = 8;
const longestHold = 2;
/** Many requests at a read. */
const inputBytes = 4 * longestRequest;

/**
 * Signs what comes on a channel, one after the other, until it ends. It blocks its thread, in the module or in the
 * channel: with no event loop between, a signature alone takes as long as the module does.
 */
export function signUntilEnd({ read, write, sign, now }: SignerLoopOptions): void {
  const input = Buffer.allocUnsafe(inputBytes);
  const output = Buffer.allocUnsafe(mostHeld * answerBytes);
  let end = 0;
  let held = 0;
  let holdsSince = 0;
  let last = 0;
  /** Of the last failure. */
  let skipped: number | null = null;
  const flush = (): void => {
    if (held > 0) write(output.subarray(0, held * answerBytes));
    held = 0;
  };
  const answer = (given: SignerAnswer): void => {
    writeAnswer(output, held * answerBytes, given);
    const time = now();
    if (held === 0) holdsSince = time;
    held += 1;
    // One that took so long lets none wait for the next, which would take as long.
    const isSlow = time - last >= longestHold;
    last = time;
    if (isSlow || held === mostHeld || time - holdsSince >= longestHold) flush();
  };
  answer({ is: 'ready' });
  for (;;) {
    flush();
    const length = read(input, end);
    if (length === 0) return;
    last = now();
    end += length;
    let at = 0;
    for (;;) {
      const size = requestLength(input, at, end);
      if (size === null || at + size > end) break;
      const request = readSignerRequest(input, at, at + size);
      at += size;
      if (request.round === skipped) {
        answer({ is: 'skipped' });
        continue;
      }
      const made = sign(request);
      skipped = made.is === 'failed' ? request.round : null;
      answer(made);
    }
    input.copyWithin(0, at, end);
    end -= at;
  }
}
