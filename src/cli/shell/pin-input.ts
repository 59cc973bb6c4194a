import { statSync } from 'node:fs';
import { AgentError } from '../../base/errors.ts';
import { faultOfPin, maxPinFileLength, maxPinLength, pinIn } from '../../vault/pins/pin-form.ts';
import { readPinFile } from '../../vault/pins/read-pin.ts';
import { UsageError } from './failure.ts';
import { readInput } from './message.ts';
import { askSecret, canAskSecret } from './secret-prompt.ts';
import { escapeControls } from './text.ts';
import type { Terminal } from './terminal.ts';

/**
 * A PIN from a file, from stdin (`-`) or from the terminal, never from the command line or the environment. What is
 * no part of it in a file or on stdin, as `secretIn` has it, is left out or refused. The Buffer is the caller's, who wipes it.
 *
 * Rejects with UsageError where there is none to be had, as `askSecret` does where it is typed. A file must be
 * closed to everyone but its owner; a pipe (`--pin-file <(...)`) is read as it is.
 */
export async function readPinInput(
  file: string | undefined,
  keyring: string,
  terminal: Terminal,
): Promise<Buffer> {
  const typed = file === undefined || file === '-';
  if (typed && canAskSecret(terminal)) {
    return checked(await askSecret(terminal, question(keyring), maxPinLength), 'what was typed');
  }
  if (file === undefined) {
    throw new UsageError(
      'there is no terminal to ask for the PIN: give --pin-file FILE, or --pin-file - to read it from stdin',
    );
  }
  if (file !== '-' && !isPipe(file)) return fromFile(file);
  return secretOf(await readSecretStream(file, terminal), file, 'the PIN cannot be this:');
}

function question(keyring: string): string {
  return `PIN of keyring ${escapeControls(keyring)}: `;
}

function fromFile(path: string): Buffer {
  let pin: Buffer | null;
  try {
    pin = readPinFile(path);
  } catch (failure) {
    throw usageError(failure);
  }
  if (pin === null) throw new UsageError(`PIN file ${path} does not exist`);
  return pin;
}

/** Whether it is a pipe, which is read as it is: `<(...)` of a shell. */
export function isPipe(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFIFO() === true;
}

/** A pipe, or stdin (`-`); a byte more than a secret may have is noticed. */
export async function readSecretStream(path: string, terminal: Terminal): Promise<Buffer> {
  try {
    return await readInput(path, terminal, maxPinFileLength);
  } catch (failure) {
    throw usageError(failure);
  }
}

/** The secret in what was read from `path`, `-` for stdin. Wipes it and throws UsageError where there is none. */
export function secretOf(bytes: Buffer, path: string, refusal: string): Buffer {
  const read = pinIn(bytes);
  if ('secret' in read) return read.secret;
  bytes.fill(0);
  throw new UsageError(`${refusal} ${path === '-' ? 'stdin' : path} ${read.fault}`);
}

/** A file that was named and cannot be used is the command line's fault, whoever says so. */
export function usageError(failure: unknown): unknown {
  return failure instanceof AgentError
    ? new UsageError(failure.message, { cause: failure })
    : failure;
}

/** Answers the PIN, or wipes it and throws. */
function checked(pin: Buffer, source: string): Buffer {
  const fault = faultOfPin(pin);
  if (fault === null) return pin;
  pin.fill(0);
  throw new UsageError(`the PIN cannot be this: ${source} ${fault}`);
}
