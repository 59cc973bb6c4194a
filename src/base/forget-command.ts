/** A part of the state dir that can be lost. */
export type StatePart = 'keyring' | 'database' | 'audit' | 'api-keys' | 'manifest';

/** What gives up knowingly a part of the state dir that is lost, for messages. `keyring`: which one, of that part. */
export function forgetCommand(part: StatePart, keyring?: string): string {
  const of = keyring === undefined ? '' : ` --keyring ${keyring}`;
  return `agentctl reconcile${of} --forget ${part} --apply (with the agent's own --config and --state-dir)`;
}
