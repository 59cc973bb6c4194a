import { existsSync } from 'node:fs';
import { readPublicKey } from '../../../formats/age/age-recipient.ts';
import { UsageError } from '../../shell/failure.ts';
import { readInput } from '../../shell/message.ts';
import type { Terminal } from '../../shell/terminal.ts';

/** Far beyond any single public key. */
const mostBytes = 64 * 1024;
const privateKey = /AGE-SECRET-KEY-|AGE-PLUGIN-|PRIVATE KEY/i;

/**
 * The public key that `register` is given: an age recipient or base64 itself, a file with one of them, `-` for stdin.
 * UsageError for everything else; a private key above all, which is never repeated and never sent.
 */
export async function readClientKey(value: string, terminal: Terminal): Promise<string> {
  const text = value.trim();
  if (privateKey.test(text)) {
    throw new UsageError(
      'that is a private key, and by now the shell has it in its history: make a new one with age-keygen, and ' +
        'register what age-keygen -y prints of it',
    );
  }
  const given = readPublicKey(text);
  if ('key' in given) return text;
  if (value !== '-' && !existsSync(value)) {
    throw new UsageError(`neither a public key nor a file: ${value}; as a key, it ${given.fault}`);
  }
  return keyIn(await readInput(value, terminal, mostBytes), value === '-' ? 'stdin' : value);
}

/** The one line that is neither empty nor a comment. */
function keyIn(content: Buffer, name: string): string {
  const text = content.toString('utf8');
  content.fill(0);
  if (privateKey.test(text)) {
    throw new UsageError(
      `${name} holds a private key, which stays where it is: register the public one, age-keygen -y ${name}`,
    );
  }
  const lines = text.split(/\r?\n/).map((line) => line.trim());
  const keys = lines.filter((line) => line !== '' && !line.startsWith('#'));
  const [key] = keys;
  if (key === undefined || keys.length > 1) {
    throw new UsageError(`${name} holds ${keys.length} lines that may be keys: there must be one`);
  }
  const read = readPublicKey(key);
  if ('key' in read) return key;
  throw new UsageError(`${name}: what it holds ${read.fault}`);
}
