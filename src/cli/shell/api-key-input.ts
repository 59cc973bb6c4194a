import { readClosedFile } from '../../files/closed-file.ts';
import { faultOfPin, maxPinFileLength, maxPinLength } from '../../vault/pins/pin-form.ts';
import { UsageError } from './failure.ts';
import { isPipe, readSecretStream, secretOf, usageError } from './pin-input.ts';
import { askSecret, canAskSecret } from './secret-prompt.ts';
import type { Terminal } from './terminal.ts';

/**
 * The API key of `--api-key-file`: from a file that is closed to others, a pipe, or stdin (`-`), at a terminal without
 * echo. One line, at most 1024 bytes. Read once, and when it is asked for first. Rejects with UsageError.
 */
export function apiKeyInput(file: string, terminal: Terminal): () => Promise<Buffer> {
  let reading: Promise<Buffer> | null = null;
  return () => (reading ??= readApiKey(file, terminal));
}

/**
 * The terminal as a command sees it that must not read stdin, since the API key comes from there.
 */
export function withoutStdin(terminal: Terminal): Terminal {
  return {
    get stdin(): never {
      throw new UsageError(
        '--api-key-file - takes stdin, which this command reads as well: name a file for the API key',
      );
    },
    get stdout() {
      return terminal.stdout;
    },
    get stderr() {
      return terminal.stderr;
    },
    env: terminal.env,
    now: terminal.now,
  };
}

async function readApiKey(file: string, terminal: Terminal): Promise<Buffer> {
  if (file !== '-' && !isPipe(file)) return fromFile(file);
  if (file === '-' && canAskSecret(terminal)) {
    return checked(await askSecret(terminal, 'API key: ', maxPinLength), 'what was typed');
  }
  return secretOf(await readSecretStream(file, terminal), file, refusal);
}

function fromFile(path: string): Buffer {
  const what = 'API key file';
  let secret: Buffer | null;
  try {
    secret = readClosedFile(path, what, maxPinFileLength);
  } catch (failure) {
    throw usageError(failure);
  }
  if (secret === null) throw new UsageError(`${what} ${path} does not exist`);
  return secretOf(secret, path, refusal);
}

const refusal = 'this cannot be an API key:';

/** What was typed: answers the secret, or wipes it and throws. */
function checked(secret: Buffer, source: string): Buffer {
  const fault = secret.includes(0x0a) ? 'has more than one line' : faultOfPin(secret);
  if (fault === null) return secret;
  secret.fill(0);
  throw new UsageError(`${refusal} ${source} ${fault}`);
}
