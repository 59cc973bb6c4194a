import { forgetState, type ForgetReport } from '../../../agent/forget-state.ts';
import type { StatePart } from '../../../base/forget-command.ts';
import type { World } from '../../../base/world.ts';
import type { Settings } from '../../../config/settings.ts';
import type { Libc } from '../../../native/libc.ts';
import { exitCodes } from '../../shell/failure.ts';
import { Output } from '../../shell/output.ts';
import type { Invocation } from '../../shell/terminal.ts';

/** What is lost with each part, for people. */
const consequences: Readonly<Record<StatePart, string>> = {
  keyring:
    'The next start makes a new key where there is none: what the old ones signed verifies here no more.',
  database:
    'Client keys have to be registered and clusters trusted again; join tokens that were revoked are valid again.',
  audit:
    'The next start begins a new log from record 1, whose first record says that this one was given up.',
  'api-keys': 'Every API key has to be made anew. What was revoked stays revoked.',
  manifest:
    'The next start takes what is there for what there should be: look first that no file is missing or an older copy.',
};

/** `agentctl reconcile --forget PART`. */
export async function forget(
  { terminal, globals, options }: Invocation<{ readonly apply?: true }>,
  part: StatePart,
  parts: { readonly settings: Settings; readonly world: World; readonly libc: Libc },
): Promise<number> {
  const wish = { part, keyring: globals.keyring ?? 'default', applies: options.apply === true };
  const report = await forgetState(wish, parts);
  const output = new Output(terminal);
  if (globals.json) output.json(report);
  else print(report, output);
  return report.applied ? exitCodes.done : exitCodes.failed;
}

function print({ part, known, aside, applied }: ForgetReport, output: Output): void {
  output.line(`${applied ? 'given up' : 'would be given up'}: ${known ?? part}`);
  for (const { from, to } of aside) {
    output.line(`${from} ${applied ? 'was' : 'would be'} put aside as ${to}`);
  }
  output.line(consequences[part]);
  output.line(applied ? 'the agent can be started' : 'nothing was changed; --apply does this');
}
