import { createReadStream } from 'node:fs';
import { AgentError, describeFailure } from '../errors.ts';
import { UsageError } from './failure.ts';
import type { Terminal } from './terminal.ts';

/**
 * The longest message that can be sent: base64 of it, and what a request has besides, in the largest frame
 * that an agent can be set to take (16 MiB; 256 KiB unless set).
 */
export const maxSentMessageBytes = 12 * 1024 * 1024 - 1024;

/**
 * Reads the whole of a file, or of stdin where the path is undefined or `-`. UsageError where the file
 * cannot be read, `too_large` beyond `maxBytes`.
 */
export async function readInput(
  path: string | undefined,
  terminal: Terminal,
  maxBytes: number,
): Promise<Buffer> {
  const fromStdin = path === undefined || path === '-';
  if (fromStdin && terminal.stdin.isTTY === true && terminal.stderr.isTTY === true) {
    terminal.stderr.write('reading from the terminal; Ctrl-D ends the input\n');
  }
  const chunks: Buffer[] = [];
  let length = 0;
  try {
    for await (const chunk of fromStdin ? terminal.stdin : createReadStream(path)) {
      chunks.push(chunk as Buffer);
      length += (chunk as Buffer).length;
      if (length > maxBytes) throw tooLarge(path ?? '-', maxBytes);
    }
  } catch (error) {
    if (error instanceof AgentError) throw error;
    throw new UsageError(`cannot read ${path ?? 'stdin'}: ${describeFailure(error)}`, {
      cause: error,
    });
  }
  return Buffer.concat(chunks, length);
}

function tooLarge(path: string, limit: number): AgentError {
  const name = path === '-' ? 'stdin' : path;
  return new AgentError(
    'too_large',
    `${name} is longer than ${limit} bytes, the most that is read`,
    {
      details: { limit },
    },
  );
}
