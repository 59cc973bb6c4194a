import { decodeBase64 } from '../base64.ts';
import { CommandError, exitCodes, UsageError } from './failure.ts';
import { maxSentMessageBytes, readInput } from './message.ts';
import { askAbout } from './session.ts';
import type { Invocation } from './terminal.ts';
import { jsonText } from './text.ts';

export interface SignOptions {
  readonly kid?: string;
  readonly format?: 'raw' | 'b64' | 'json';
  readonly out?: string;
}

/** Bytes, whatever the algorithm; vault/algorithm.ts says the same, and loads what this command can do without. */
const signatureLength = 64;

interface SignResult {
  readonly kid: string;
  readonly signature_b64: string;
}

/** `agentctl sign [FILE]`: the signature of a file or of stdin, on stdout or in a file. */
export async function sign(invocation: Invocation<SignOptions>): Promise<number> {
  const { terminal, globals, args, options } = invocation;
  const format = formatOf(invocation);
  const message = await readInput(args[0], terminal, maxSentMessageBytes);
  const params = { keyring: globals.keyring, kid: options.kid };
  const result = await askAbout<SignResult>(message, globals, 'sign', params);
  const bytes = encode(result, format);
  if (options.out !== undefined && options.out !== '-') {
    const { writeWholeFile } = await import('./write-file.ts');
    await writeWholeFile(options.out, bytes);
    if (globals.json) terminal.stdout.write(`${jsonText(result)}\n`);
  } else {
    terminal.stdout.write(bytes);
  }
  return exitCodes.done;
}

function formatOf({ terminal, globals, options }: Invocation<SignOptions>): string {
  const toStdout = options.out === undefined || options.out === '-';
  if (toStdout && globals.json) {
    if ((options.format ?? 'json') === 'json') return 'json';
    throw new UsageError(`--json prints JSON: leave out --format ${options.format}, or give --out`);
  }
  const format = options.format ?? (options.out === undefined ? 'b64' : 'raw');
  if (format === 'raw' && toStdout && terminal.stdout.isTTY === true) {
    throw new UsageError('raw bytes do not belong on a terminal: give --out FILE, or pipe to xxd');
  }
  return format;
}

function encode(result: SignResult, format: string): Buffer | string {
  const bytes =
    typeof result.signature_b64 === 'string' ? decodeBase64(result.signature_b64) : null;
  if (bytes?.length !== signatureLength) {
    throw new CommandError('what the agent answered is no signature');
  }
  if (format === 'json') return `${jsonText(result)}\n`;
  return format === 'raw' ? bytes : `${result.signature_b64}\n`;
}
