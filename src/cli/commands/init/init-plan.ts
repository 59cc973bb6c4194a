import type { BackendName } from '../../../api/signing-backend.ts';
import { defaultStateDir, homeDir, type Environment } from '../../../base/default-paths.ts';
import { effectiveUid, lstatOrNull } from '../../../files/ownership.ts';
import type { Answers, InitFlag } from '../../../vault/init-words.ts';
import { backendNames, kindOf } from '../../../vault/kinds/kinds.ts';
import { UsageError } from '../../shell/failure.ts';
import { withQuestions, type Question } from '../../shell/questions.ts';
import type { Invocation } from '../../shell/terminal.ts';

export interface InitOptions {
  readonly config?: string;
  readonly stateDir?: string;
  readonly backend?: string;
  readonly yes?: true;
  /** What else a kind of backend asks for, by its flag. */
  readonly [flag: string]: string | true | undefined;
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
  readonly backend: BackendName;
  readonly answers: Answers;
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
  const given = givenFlags(options);
  if (config === undefined) {
    for (const backend of [kindNamed(options.backend), ...given.map((one) => one.backend)]) {
      const needsConfig = backend === undefined ? null : kindOf({ backend }).init.needsConfig;
      if (needsConfig !== null) throw new UsageError(needsConfig);
    }
    if (globals.keyring !== undefined && globals.keyring !== 'default') {
      throw new UsageError('a keyring of that name needs a configuration: give --config FILE');
    }
  } else if (lstatOrNull(config) !== null) {
    return { config, newConfig: null, stateDir: options.stateDir };
  }
  const usual = defaultStateDir(terminal.env, effectiveUid());
  const stateDir = options.stateDir ?? (await path('State dir', usual));
  if (config === undefined) return { config, newConfig: null, stateDir };
  const keyring = globals.keyring ?? 'default';
  const backend = await backendOf(options, given, question);
  const answers = await answersOf(backend, given, question);
  return { config, newConfig: { stateDir, keyring, backend, answers }, stateDir };
}

interface GivenFlag {
  readonly backend: BackendName;
  readonly flag: InitFlag;
  readonly text: string;
}

function givenFlags(options: InitOptions): readonly GivenFlag[] {
  return backendNames.flatMap((backend) =>
    kindOf({ backend }).init.flags.flatMap((flag) => {
      const text = options[flag.key];
      return typeof text === 'string' ? [{ backend, flag, text }] : [];
    }),
  );
}

function kindNamed(name: string | undefined): BackendName | undefined {
  return backendNames.find((backend) => backend === name);
}

/** Flags that only one kind has say which it is. */
async function backendOf(
  options: InitOptions,
  given: readonly GivenFlag[],
  question: Question,
): Promise<BackendName> {
  const [first] = backendNames;
  const implied = given[0]?.backend;
  const places = backendNames.map((backend) => kindOf({ backend }).init.place).join(' or ');
  const asked =
    options.backend ??
    implied ??
    (await question(`Keys ${places}: ${backendNames.join(', ')}`, first ?? ''));
  const backend = kindNamed(asked);
  if (backend === undefined) {
    throw new UsageError(`there is no backend ${asked}: ${backendNames.join(' or ')}`);
  }
  for (const { backend: other, flag } of given) {
    if (other === backend || kindOf({ backend }).init.flags.some(({ key }) => key === flag.key))
      continue;
    throw new UsageError(`--${flag.key} is ${flag.noun}, and --backend says ${backend}`);
  }
  return backend;
}

async function answersOf(
  backend: BackendName,
  given: readonly GivenFlag[],
  question: Question,
): Promise<Answers> {
  const answers = new Map<string, string>();
  for (const flag of kindOf({ backend }).init.flags) {
    const text = given.find(({ flag: { key } }) => key === flag.key)?.text;
    const answer = text ?? (await question(flag.question, ''));
    if (answer === '') throw new UsageError(flag.missing);
    answers.set(flag.key, answer);
  }
  return answers;
}

/** Who answers a question has no shell between that would replace a `~`. */
function withHome(answer: string, env: Environment): string {
  if (answer === '~' || answer.startsWith('~/')) return `${homeDir(env)}${answer.slice(1)}`;
  if (!answer.startsWith('~')) return answer;
  throw new UsageError(`${answer}: only your own ~/ is known here: write the path out`);
}
