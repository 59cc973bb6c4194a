import { AgentError } from '../../../base/errors.ts';
import { exitCodes, UsageError } from '../../shell/failure.ts';
import { listedNames } from '../../shell/listed-names.ts';
import { InputError } from '../../shell/message.ts';
import type { Invocation } from '../../shell/terminal.ts';
import { escapeControls, jsonText } from '../../shell/text.ts';
import { writeWholeFile } from '../../shell/write-file.ts';
import type { FormatName, Signed, SignOptions } from './sign-options.ts';

type SignOne = (invocation: Invocation<SignOptions>) => Promise<Signed>;

/** Files in work at a time, so that the agent need not wait for the next one. Each may be in memory as a whole. */
const mostInWork = 32;

/** Formats whose signature is one line of text. */
const ofOneLine: ReadonlySet<FormatName> = new Set(['b64', 'json', 'jws']);

/**
 * `agentctl sign` of several files, over one connection. What is told of each comes in their order, as soon as it and
 * all before it are signed. A file that cannot be signed for its own sake is named and left out; any other failure ends
 * the command.
 */
export async function signMany(
  invocation: Invocation<SignOptions>,
  howOf: (format: FormatName) => SignOne,
): Promise<number> {
  const format = formatOf(invocation);
  const signOne = howOf(format);
  const { terminal } = invocation;
  let code: number = exitCodes.done;
  const tell = async (name: string, made: Promise<Signed>): Promise<void> => {
    try {
      await write(name, await made, format, invocation);
    } catch (failure) {
      if (!isOfThatFile(failure)) throw failure;
      const why = failure instanceof InputError ? failure.message : `${name}: ${failure.message}`;
      terminal.stderr.write(`agentctl: ${escapeControls(why)}\n`);
      code = exitCodes.failed;
    }
  };
  const names = namesOf(invocation);
  const inWork: Promise<void>[] = [];
  let last = Promise.resolve();
  let fail: (failure: unknown) => void = () => undefined;
  const failed = new Promise<never>((_, reject) => {
    fail = reject;
  });
  failed.catch(() => undefined); // nobody may wait for it when it comes
  try {
    for (;;) {
      const { done, value: name } = await Promise.race([names.next(), failed]);
      if (done === true) break;
      const made = signOne({ ...invocation, args: [name] });
      made.catch(() => undefined); // told in its turn
      last = last.then(() => tell(name, made));
      last.catch(fail);
      inWork.push(last);
      if (inWork.length >= mostInWork) await inWork.shift();
    }
    await last;
  } catch (failure) {
    // Whoever still writes names is waited for no longer.
    if (invocation.options.stdinList === true) terminal.stdin.destroy();
    throw failure;
  }
  return code;
}

function formatOf({ terminal, globals, args, options }: Invocation<SignOptions>): FormatName {
  const { suffix, stdinList = false } = options;
  if (options.out !== undefined) {
    throw new UsageError('--out is for one signature: give --suffix, such as --suffix .sig');
  }
  if (suffix === '' || suffix?.includes('/') === true || suffix?.includes('\0') === true) {
    throw new UsageError('--suffix must be a part of a name, such as .sig');
  }
  if (stdinList && args.some((name) => name !== undefined)) {
    throw new UsageError('--stdin-list has the names on stdin: give no others');
  }
  if (options.null === true && !stdinList) {
    throw new UsageError('--null goes with --stdin-list alone');
  }
  if (!stdinList && args.length === 0) {
    throw new UsageError('--suffix is for files: name them, or give --stdin-list');
  }
  if (stdinList && terminal.stdin.isTTY === true) {
    terminal.stderr.write('reading names from the terminal; Ctrl-D ends them\n');
  }
  if (suffix !== undefined) return options.format ?? 'raw';
  if (globals.json === true && (options.format ?? 'json') !== 'json') {
    throw new UsageError(`--json prints JSON: leave out --format, or give --suffix`);
  }
  const format = options.format ?? (globals.json === true ? 'json' : 'b64');
  if (ofOneLine.has(format)) return format;
  throw new UsageError(`several signatures of --format ${format} need --suffix, such as .sig`);
}

async function* namesOf({
  terminal,
  args,
  options,
}: Invocation<SignOptions>): AsyncGenerator<string, void> {
  const names =
    options.stdinList === true
      ? listedNames(terminal.stdin, options.null === true ? '\0' : '\n')
      : args.flatMap((name) => name ?? []);
  for await (const name of names) {
    if (name === '-')
      throw new UsageError('- is stdin, and not one of several files: ./- is a file');
    yield name;
  }
}

function isOfThatFile(failure: unknown): failure is Error {
  if (failure instanceof InputError) return true;
  return failure instanceof AgentError && failure.kind === 'too_large';
}

/** Beside the file where there is a suffix, else as a line. */
async function write(
  name: string,
  { result, content }: Signed,
  format: FormatName,
  { terminal, globals, options: { suffix } }: Invocation<SignOptions>,
): Promise<void> {
  if (suffix !== undefined) await writeWholeFile(`${name}${suffix}`, content);
  const isTold = suffix === undefined || globals.json === true;
  if (!isTold) return;
  const asJson = format === 'json' || globals.json === true;
  const line = asJson
    ? jsonText({ file: name, ...result })
    : `${content.toString().trimEnd()}  ${escapeControls(name)}`;
  terminal.stdout.write(`${line}\n`);
}
