import { defaultStateDir, homeDir, type Environment } from '../../../base/default-paths.ts';
import { effectiveUid, lstatOrNull } from '../../../files/ownership.ts';
import { UsageError } from '../../shell/failure.ts';
import { withQuestions, type Question } from '../../shell/questions.ts';
import type { Invocation } from '../../shell/terminal.ts';

export interface InitOptions {
  readonly config?: string;
  readonly stateDir?: string;
  readonly backend?: string;
  readonly uri?: string;
  readonly yes?: true;
}

/** What is to be set up. */
export interface InitPlan {
  readonly config: string | undefined;
  /** The configuration that is written; null: there is one, or none is wanted. */
  readonly newConfig: NewConfig | null;
  readonly stateDir: string | undefined;
}

export interface NewConfig {
  readonly stateDir: string;
  readonly keyring: string;
  /** PKCS#11 URI of the keyring's token; null: a file keyring. */
  readonly uri: string | null;
}

/** From flags, and at a terminal from answers. Rejects with UsageError where they do not fit together. */
export async function planInit(invocation: Invocation<InitOptions>): Promise<InitPlan> {
  const { terminal, options } = invocation;
  const asks = terminal.stdin.isTTY === true && options.yes !== true;
  if (!asks) return plan(invocation, (_, otherwise) => Promise.resolve(otherwise));
  return withQuestions(terminal, (question) => plan(invocation, question));
}

async function plan(
  { terminal, globals, options }: Invocation<InitOptions>,
  question: Question,
): Promise<InitPlan> {
  const path = async (text: string, otherwise: string): Promise<string> =>
    withHome(await question(text, otherwise), terminal.env);
  const config =
    options.config ?? ((await path('Configuration file, empty for none', '')) || undefined);
  const wanted = options.backend === 'pkcs11' || options.uri !== undefined;
  if (config === undefined) {
    if (wanted) throw new UsageError('a token needs a configuration: give --config FILE');
    if (globals.keyring !== undefined && globals.keyring !== 'default') {
      throw new UsageError('a keyring of that name needs a configuration: give --config FILE');
    }
  } else if (lstatOrNull(config) !== null) {
    return { config, newConfig: null, stateDir: options.stateDir };
  }
  const usual = defaultStateDir(terminal.env, effectiveUid());
  const stateDir = options.stateDir ?? (await path('State dir', usual));
  if (config === undefined) return { config, newConfig: null, stateDir };
  const uri = await uriOf(options, question);
  return { config, newConfig: { stateDir, keyring: globals.keyring ?? 'default', uri }, stateDir };
}

/** Who answers a question has no shell between that would replace a `~`. */
function withHome(answer: string, env: Environment): string {
  if (answer === '~' || answer.startsWith('~/')) return `${homeDir(env)}${answer.slice(1)}`;
  if (!answer.startsWith('~')) return answer;
  throw new UsageError(`${answer}: only your own ~/ is known here: write the path out`);
}

async function uriOf(options: InitOptions, question: Question): Promise<string | null> {
  const implied = options.uri === undefined ? 'file' : 'pkcs11';
  const asked = options.backend ?? (implied === 'pkcs11' ? implied : null);
  const backend = asked ?? (await question('Keys in a file or in a token: file, pkcs11', implied));
  if (backend === 'file') {
    if (options.uri === undefined) return null;
    throw new UsageError('--uri is the URI of a token, and --backend says file');
  }
  if (backend !== 'pkcs11') throw new UsageError(`there is no backend ${backend}: file or pkcs11`);
  const uri = options.uri ?? (await question('PKCS#11 URI of the token', ''));
  if (uri !== '') return uri;
  throw new UsageError('a pkcs11 keyring needs the URI of its token: give --uri URI');
}
