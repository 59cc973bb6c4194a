/** What repairs a keyring whose records and token do not fit, for messages; it works while the agent is down. */
export function repairCommand(keyring: string): string {
  return `agentctl reconcile --keyring ${keyring} (with the agent's own --config and --state-dir)`;
}

/** What accepts records knowingly that are not proved to be the newest, for messages. */
export function acceptCommand(keyring: string): string {
  return (
    `agentctl reconcile --keyring ${keyring} --accept-records --apply (with the agent's own --config and ` +
    '--state-dir)'
  );
}
