import { decodeBech32 } from '../../formats/age/bech32.ts';
import { readClosedFile } from '../../files/closed-file.ts';
import { UsageError } from './failure.ts';
import { readInput } from './message.ts';
import { isPipe, usageError } from './pin-input.ts';
import type { Terminal } from './terminal.ts';

/** Far beyond any file of identities, bytes. */
const mostBytes = 64 * 1024;

/**
 * The X25519 identities of a file as age-keygen writes it: a line each (`AGE-SECRET-KEY-1…`), empty lines and
 * comments besides. The file must be closed to others; a pipe (`--identity <(…)`) is read as it is. UsageError
 * that never repeats a line: it may be a key.
 */
export async function readIdentities(path: string, terminal: Terminal): Promise<readonly string[]> {
  const bytes = await read(path, terminal);
  try {
    const identities = bytes
      .toString('utf8')
      .split(/\r?\n/)
      .flatMap((line, at) => identityOf(line.trim(), `${path}, line ${at + 1},`));
    if (identities.length > 0) return identities;
  } finally {
    bytes.fill(0);
  }
  throw new UsageError(`${path} has no age identity: a line that begins with AGE-SECRET-KEY-1`);
}

async function read(path: string, terminal: Terminal): Promise<Buffer> {
  try {
    if (isPipe(path)) return await readInput(path, terminal, mostBytes);
    const bytes = readClosedFile(path, 'identity file', mostBytes);
    if (bytes === null) throw new UsageError(`identity file ${path} does not exist`);
    if (bytes.length <= mostBytes) return bytes;
    bytes.fill(0);
    throw new UsageError(`identity file ${path} is longer than ${mostBytes} bytes`);
  } catch (failure) {
    throw usageError(failure);
  }
}

function identityOf(line: string, where: string): readonly string[] {
  if (line === '' || line.startsWith('#')) return [];
  if (/^(age-encryption\.org\/v1|-----BEGIN AGE ENCRYPTED FILE-----)/.test(line)) {
    throw new UsageError(
      `${where} is an encrypted identity file: give what age -d makes of it through a pipe, --identity <(age -d …)`,
    );
  }
  if (/^AGE-(PLUGIN-|SECRET-KEY-PQ-)/.test(line)) {
    throw new UsageError(`${where} is an identity of another type: only X25519 is known here`);
  }
  const decoded = line.startsWith('AGE-SECRET-KEY-1') ? decodeBech32(line) : null;
  const isWhole = decoded?.prefix === 'age-secret-key-' && decoded.bytes.length === 32;
  decoded?.bytes.fill(0);
  if (isWhole) return [line];
  throw new UsageError(`${where} is no age identity, or a mistyped one`);
}
