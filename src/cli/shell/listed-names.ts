import type { Readable } from 'node:stream';
import { UsageError } from './failure.ts';

/** Bytes; the kernel takes paths of 4096. */
const longestName = 65_536;

/**
 * The names that a list has, as they come: each ends with that byte, the last one perhaps with the input. UsageError for
 * one that is empty, has no end, or is not UTF-8, which could not be told from another one.
 */
export async function* listedNames(list: Readable, end: '\n' | '\0'): AsyncGenerator<string, void> {
  const endByte = end.charCodeAt(0);
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  let count = 0;
  const name = (bytes: Buffer): string => {
    count += 1;
    if (bytes.length === 0) throw new UsageError(`name ${count} of the list is empty`);
    try {
      return decoder.decode(bytes);
    } catch (cause) {
      throw new UsageError(`name ${count} of the list is not UTF-8`, { cause });
    }
  };
  let rest: Buffer = Buffer.alloc(0);
  for await (const chunk of list) {
    const bytes = Buffer.concat([rest, chunk as Buffer]);
    let from = 0;
    for (let at = bytes.indexOf(endByte); at >= 0; at = bytes.indexOf(endByte, from)) {
      yield name(bytes.subarray(from, at));
      from = at + 1;
    }
    rest = bytes.subarray(from);
    if (rest.length > longestName) {
      throw new UsageError(`name ${count + 1} of the list is longer than ${longestName} bytes`);
    }
  }
  if (rest.length > 0) yield name(rest);
}
