/** What a command line of `agentctl reconcile` has said. */
export interface GivenFlags {
  readonly keyring: string;
  readonly config: string | null;
  readonly stateDir: string | null;
  readonly active: string | null;
  readonly acceptRecords: boolean;
  readonly resetClock: boolean;
}

/** The same command once more, with what was missing, and written to be pasted into a shell. */
export function reconcileCommand(
  given: GivenFlags,
  missing: { readonly active?: string; readonly acceptRecords?: boolean },
): string {
  const active = missing.active ?? given.active;
  return [
    'agentctl reconcile',
    flag('--keyring', given.keyring),
    ...(active === null ? [] : [flag('--active', active)]),
    ...(given.resetClock ? ['--reset-clock'] : []),
    ...(given.acceptRecords || missing.acceptRecords === true ? ['--accept-records'] : []),
    '--apply',
    ...(given.config === null ? [] : [flag('--config', given.config)]),
    ...(given.stateDir === null ? [] : [flag('--state-dir', given.stateDir)]),
  ].join(' ');
}

function flag(name: string, value: string): string {
  const plain = /^[\w@%+:,./][\w@%+=:,./-]*$/.test(value);
  return plain ? `${name} ${value}` : `${name}='${value.replaceAll("'", "'\\''")}'`;
}
