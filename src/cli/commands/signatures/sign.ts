import { AgentError } from '../../../base/errors.ts';
import { exitCodes, UsageError } from '../../shell/failure.ts';
import { signatureBytes, type SignResult } from './made-signature.ts';
import type { FormatName, Signed, SignOptions } from './sign-options.ts';
import { maxSentMessageBytes, readInput } from '../../shell/message.ts';
import { askAbout } from '../../shell/session.ts';
import type { Invocation } from '../../shell/terminal.ts';
import { jsonText } from '../../shell/text.ts';

/** One entry a format; what only that one needs is loaded for it alone. */
const formats = {
  raw: (invocation: Invocation<SignOptions>) => plain(invocation, signatureBytes),
  b64: (invocation: Invocation<SignOptions>) =>
    plain(invocation, ({ signature_b64 }) => `${signature_b64}\n`),
  json: (invocation: Invocation<SignOptions>) =>
    plain(invocation, (result) => `${jsonText(result)}\n`),
  sshsig: async (invocation: Invocation<SignOptions>) =>
    (await import('./sign-sshsig.ts')).signSshsig(invocation),
  minisign: async (invocation: Invocation<SignOptions>) =>
    (await import('./sign-minisign.ts')).signMinisign(invocation),
  jws: async (invocation: Invocation<SignOptions>) =>
    (await import('./sign-jws.ts')).signJws(invocation),
} satisfies Record<FormatName, (invocation: Invocation<SignOptions>) => Promise<Signed>>;

/** `agentctl sign [FILE...]`: the signature of a file or of stdin, on stdout or in a file; those of several files. */
export async function sign(invocation: Invocation<SignOptions>): Promise<number> {
  const { terminal, globals, args, options } = invocation;
  if (args.length > 1 || options.stdinList === true || options.suffix !== undefined) {
    const { signMany } = await import('./sign-many.ts');
    return signMany(invocation, (format) => {
      refuseForeignOptions(options, format);
      return formats[format];
    });
  }
  if (options.null === true) throw new UsageError('--null goes with --stdin-list alone');
  const format = formatOf(invocation);
  refuseForeignOptions(options, format);
  const { result, content } = await formats[format](invocation);
  if (options.out !== undefined && options.out !== '-') {
    const { writeWholeFile } = await import('../../shell/write-file.ts');
    await writeWholeFile(options.out, content);
    if (globals.json) terminal.stdout.write(`${jsonText(result)}\n`);
  } else {
    terminal.stdout.write(content);
  }
  return exitCodes.done;
}

function formatOf({ terminal, globals, options }: Invocation<SignOptions>): FormatName {
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

function refuseForeignOptions(options: SignOptions, format: FormatName): void {
  if (options.namespace !== undefined && format !== 'sshsig') {
    throw new UsageError('--namespace goes with --format sshsig alone');
  }
  if (options.alg !== undefined && format !== 'jws') {
    throw new UsageError('--alg goes with --format jws alone');
  }
  if (options.trustedComment !== undefined && format !== 'minisign') {
    throw new UsageError('--trusted-comment goes with --format minisign alone');
  }
}

/** The signature of the message itself. */
async function plain(
  { terminal, globals, args, options }: Invocation<SignOptions>,
  encode: (result: SignResult) => Buffer | string,
): Promise<Signed> {
  const params = { keyring: globals.keyring, kid: options.kid };
  try {
    const message = await readInput(args[0], terminal, maxSentMessageBytes);
    const result = await askAbout<SignResult>(message, globals, 'sign', params);
    signatureBytes(result);
    return { result, content: encode(result) };
  } catch (failure) {
    throw withRemedy(failure);
  }
}

/** A signature of the message itself needs the whole of it; what a format of files signs is short. */
function withRemedy(failure: unknown): unknown {
  if (!(failure instanceof AgentError) || failure.kind !== 'too_large') return failure;
  const why = `${failure.message}; --format sshsig signs files of any size`;
  return new AgentError('too_large', why, { details: failure.details, cause: failure });
}
