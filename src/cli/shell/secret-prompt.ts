import { CommandError, InterruptedError } from './failure.ts';
import type { Terminal } from './terminal.ts';

const backspace = [0x08, 0x7f];
const enter = [0x0a, 0x0d];
const ctrlC = 0x03;
const ctrlD = 0x04;
const ctrlU = 0x15;
/** The bytes of a UTF-8 character after its first. */
const isContinuation = (byte: number): boolean => (byte & 0xc0) === 0x80;

type Outcome = 'more' | 'done' | Error;

/** Whether a secret can be typed: echo is the terminal's own, and only its raw mode turns it off. */
export function canAskSecret({ stdin }: Terminal): boolean {
  return stdin.isTTY === true && stdin.setRawMode !== undefined;
}

/**
 * Asks for one line and shows nothing of it. The Buffer is the caller's, who wipes it; it is never empty. The
 * terminal is as before, however this ends. Rejects with InterruptedError at Ctrl-C, with CommandError where
 * the input ends, is longer than `maxBytes`, or has keys in it that are no characters.
 */
export async function askSecret(
  terminal: Terminal,
  question: string,
  maxBytes: number,
): Promise<Buffer> {
  const { stdin, stderr } = terminal;
  const line = new SecretLine(maxBytes);
  stdin.setRawMode?.(true);
  try {
    stderr.write(question); // after the echo is off: whoever waits for the question types unseen
    await typed(stdin, line);
    return line.text();
  } finally {
    line.wipe();
    stdin.pause(); // or the program would wait for more
    stdin.setRawMode?.(false);
    stderr.write('\n');
  }
}

/** Resolves at the end of the line. */
function typed(stdin: Terminal['stdin'], line: SecretLine): Promise<void> {
  return new Promise((resolve, reject) => {
    const settle = (failure: Error | null): void => {
      stdin.off('data', take).off('end', end).off('error', end);
      if (failure === null) resolve();
      else reject(failure);
    };
    const take = (chunk: Buffer): void => {
      const outcome = line.take(chunk);
      chunk.fill(0);
      if (outcome !== 'more') settle(outcome === 'done' ? null : outcome);
    };
    const end = (): void => {
      settle(new CommandError('the input ended: nothing was sent'));
    };
    stdin.on('data', take).on('end', end).on('error', end);
  });
}

/** What was typed so far, edited as a terminal would. */
class SecretLine {
  readonly #bytes: Buffer;
  #length = 0;

  constructor(maxBytes: number) {
    this.#bytes = Buffer.alloc(maxBytes);
  }

  /** What follows the end of the line in the same chunk is dropped. */
  take(chunk: Buffer): Outcome {
    for (const byte of chunk) {
      const outcome = this.#takeByte(byte);
      if (outcome !== 'more') return outcome;
    }
    return 'more';
  }

  /** A copy that outlives `wipe`. */
  text(): Buffer {
    return Buffer.alloc(this.#length, this.#bytes.subarray(0, this.#length));
  }

  wipe(): void {
    this.#bytes.fill(0);
    this.#length = 0;
  }

  #takeByte(byte: number): Outcome {
    if (byte === ctrlC) return new InterruptedError('interrupted: nothing was sent');
    if (enter.includes(byte) || byte === ctrlD) {
      if (this.#length > 0) return 'done';
      return new CommandError('nothing was typed, so nothing was sent');
    }
    if (backspace.includes(byte)) this.#removeCharacter();
    else if (byte === ctrlU) this.wipe();
    else return this.#add(byte);
    return 'more';
  }

  #add(byte: number): Outcome {
    // An arrow key among them would make a secret that its owner does not know of.
    if (byte < 0x20) {
      return new CommandError(
        'a key was pressed that is no character: nothing was sent, try again',
      );
    }
    if (this.#length === this.#bytes.length) {
      return new CommandError(`more than ${this.#bytes.length} bytes were typed: nothing was sent`);
    }
    this.#bytes[this.#length] = byte;
    this.#length += 1;
    return 'more';
  }

  #removeCharacter(): void {
    while (this.#length > 0) {
      this.#length -= 1;
      const byte = this.#bytes[this.#length] ?? 0;
      this.#bytes[this.#length] = 0;
      if (!isContinuation(byte)) return;
    }
  }
}
