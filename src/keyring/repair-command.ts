/** What repairs a keyring whose records and token do not fit, for messages; it works while the agent is down. */
export function repairCommand(keyring: string): string {
  return `agentctl reconcile --keyring ${keyring} (with the agent's own --config and --state-dir)`;
}
