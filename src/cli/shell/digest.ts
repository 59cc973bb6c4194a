import { createHash } from 'node:crypto';
import { inputChunks } from './message.ts';
import { progressOf } from './progress.ts';
import type { Terminal } from './terminal.ts';

/**
 * The digest of a file, or of stdin where the path is undefined or `-`, of any size: it is hashed as it is read.
 * UsageError where it cannot be read.
 */
export async function digestOf(
  path: string | undefined,
  terminal: Terminal,
  algorithm: 'sha256' | 'sha512' | 'blake2b512',
): Promise<Buffer> {
  const hash = createHash(algorithm);
  const progress = await progressOf(path, terminal);
  try {
    for await (const chunk of inputChunks(path, terminal)) {
      hash.update(chunk);
      progress.advance(chunk.length);
    }
  } finally {
    progress.end();
  }
  return hash.digest();
}
