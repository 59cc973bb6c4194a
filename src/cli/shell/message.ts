import { createReadStream } from 'node:fs';
import { AgentError, describeFailure } from '../../base/errors.ts';
import { UsageError } from './failure.ts';
import type { Terminal } from './terminal.ts';

/**
 * The longest message that can be sent: base64 of it, and what a request has besides, in the largest frame
 * that an agent can be set to take (16 MiB; 256 KiB unless set).
 */
export const maxSentMessageBytes = 12 * 1024 * 1024 - 1024;

/** A file, or stdin, that cannot be read. */
export class InputError extends UsageError {}

/** What is read for a key that is given; the whole message has to be in memory. */
export const maxLocalMessageBytes = 1024 * 1024 * 1024;

/**
 * Reads the whole of a file, or of stdin where the path is undefined or `-`. InputError where the file
 * cannot be read, `too_large` beyond `maxBytes`.
 */
export async function readInput(
  path: string | undefined,
  terminal: Terminal,
  maxBytes: number,
): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of inputChunks(path, terminal)) {
    chunks.push(chunk);
    length += chunk.length;
    if (length > maxBytes) throw tooLarge(path ?? '-', maxBytes);
  }
  return Buffer.concat(chunks, length);
}

/** What `readInput` reads, a piece at a time and as much as there is. InputError where it cannot be read. */
export async function* inputChunks(
  path: string | undefined,
  terminal: Terminal,
): AsyncGenerator<Buffer, void> {
  const fromStdin = path === undefined || path === '-';
  if (fromStdin && terminal.stdin.isTTY === true && terminal.stderr.isTTY === true) {
    terminal.stderr.write('reading from the terminal; Ctrl-D ends the input\n');
  }
  const stream = fromStdin ? terminal.stdin : createReadStream(path, { highWaterMark: pieceBytes });
  try {
    for await (const chunk of stream) yield chunk as Buffer;
  } catch (error) {
    throw new InputError(`cannot read ${path ?? 'stdin'}: ${describeFailure(error)}`, {
      cause: error,
    });
  }
}

/** Of a file that is read: fewer turns than with Node's 64 KiB. */
const pieceBytes = 256 * 1024;

/** For what is read from `path`, `-` for stdin. */
export function tooLarge(path: string, limit: number): AgentError {
  const name = path === '-' ? 'stdin' : path;
  return new AgentError(
    'too_large',
    `${name} is longer than ${limit} bytes, the most that is read`,
    {
      details: { limit },
    },
  );
}
