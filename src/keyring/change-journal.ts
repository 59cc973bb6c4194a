/**
 * What a keyring changes by itself: by its schedule, or when it is opened (its first key, the end of steps that were
 * cut off). `ca_issue`: the cluster's CA certifies one of its keys.
 */
export interface OwnChange {
  readonly keyring: string;
  readonly method:
    'prepare' | 'rotate' | 'prune_expired_grace' | 'first_key' | 'end_steps' | 'ca_issue';
}

/** A change that may be made now. It must be told how it ended, once. */
export interface BegunChange {
  /** The key that it made or activated; null: none, or several, and `reason` names them. Never rejects. */
  done(kid: string | null, reason: string | null): Promise<void>;
  /** Never rejects. */
  failed(failure: unknown): Promise<void>;
}

/** Where a keyring's own changes are recorded. */
export interface ChangeJournal {
  /** Rejects where the change cannot be recorded: then it is not made. */
  begin(change: OwnChange): Promise<BegunChange>;
}

/** Makes a change that is recorded before and after; without a journal it is just made. */
export async function journaled<T>(
  journal: ChangeJournal | undefined,
  change: OwnChange,
  make: () => Promise<T>,
  told: (result: T) => { readonly kid: string | null; readonly reason: string | null },
): Promise<T> {
  const begun = await journal?.begin(change);
  try {
    const result = await make();
    const { kid, reason } = told(result);
    await begun?.done(kid, reason);
    return result;
  } catch (failure) {
    await begun?.failed(failure);
    throw failure;
  }
}
