import type { MethodName } from '../../../api/methods.ts';
import type { ErrorKind } from '../../../base/errors.ts';
import { agentTexts } from './agent-texts.ts';
import { clusterTexts } from './cluster-texts.ts';
import { formatTexts } from './format-texts.ts';
import { keyringTexts } from './keyring-texts.ts';
import type { MethodText } from './method-text.ts';
import { registryTexts } from './registry-texts.ts';

export const methodTexts: Readonly<Record<MethodName, Omit<MethodText, 'params'>>> = {
  ...agentTexts,
  ...keyringTexts,
  ...formatTexts,
  ...registryTexts,
  ...clusterTexts,
};

/** What is said of a param of one method alone; undefined: nothing. */
export function ownParamText(method: MethodName, param: string): string | undefined {
  const { params = {} } = methodTexts[method] as MethodText;
  return (params as Readonly<Record<string, string>>)[param];
}

/** What every method may answer. */
const everywhere: readonly ErrorKind[] = [
  'invalid_params',
  'unauthenticated',
  'too_large',
  'overloaded',
  'shutting_down',
  'audit_unavailable',
  'internal',
];

/** The kinds that a method may answer, in the order of their codes. */
export function errorsOf(
  method: MethodName,
  facts: { readonly scope: string; readonly effect: string },
): ReadonlySet<ErrorKind> {
  return new Set([
    ...everywhere,
    ...(facts.scope === 'none' ? [] : (['forbidden'] as const)),
    ...(facts.effect === 'reads' ? [] : (['rate_limited'] as const)),
    ...methodTexts[method].errors,
  ]);
}
