import { AgentError } from '../../base/errors.ts';
import type { RollbackProtection } from '../../api/signing-backend.ts';
import type { KeyringState } from '../../vault/key-records.ts';
import type { OpenedRecords, SealWorld, StateStore, Versioned } from '../../vault/state-store.ts';
import type { SealStore } from '../../vault/vault.ts';
import { forgetCommand } from '../../base/forget-command.ts';
import { acceptCommand } from '../repair-command.ts';
import { isAsExpected, type NotedRecords, type RecordsLedger } from './records-ledger.ts';

export interface Watch {
  readonly keyring: string;
  readonly ledger: RecordsLedger;
  /** Nobody else writes the records, so they must be those that were saved last. */
  readonly isOnlyWriter: boolean;
  /** Where a second copy of them is. */
  readonly copyPath: string;
}

/** A store of key records whose changes are written down elsewhere too, and that is refused where it lost some. */
export class WatchedStore implements StateStore {
  readonly #store: StateStore;
  readonly #watch: Watch;

  constructor(store: StateStore, watch: Watch) {
    this.#store = store;
    this.#watch = watch;
  }

  get location(): string {
    return this.#store.location;
  }

  get rollbackProtection(): RollbackProtection {
    return this.#store.rollbackProtection;
  }

  /** As StateStore; throws `backend_unavailable` too where the records are gone, or not those that were saved last. */
  async open(seals: SealStore | null, world: SealWorld): Promise<OpenedRecords> {
    const opened = await this.#store.open(seals, world);
    const { ledger, isOnlyWriter } = this.#watch;
    const { expected } = ledger;
    const stored = this.#store.current();
    if (expected !== null && expected.kids.length > 0 && stored === null) {
      throw this.#refusal(
        `are gone: they were in ${expected.location}`,
        `${forgetCommand('keyring', this.#watch.keyring)}; the agent then begins with a new key`,
      );
    }
    // The device knows better than a file, which may be an older copy itself.
    const isProved = opened.provedNewest || !isOnlyWriter;
    if (stored !== null && !isProved && !isAsExpected(stored.state, expected)) {
      throw this.#refusal(
        'are not those that this agent saved last: an older copy, or edited',
        acceptCommand(this.#watch.keyring),
      );
    }
    if (stored !== null) ledger.settle(this.#noted(stored.state));
    return opened;
  }

  seal(world: SealWorld): Promise<void> {
    return this.#store.seal(world);
  }

  current(): Versioned | null {
    return this.#store.current();
  }

  async save(state: KeyringState, expected: string | null): Promise<Versioned> {
    const { ledger } = this.#watch;
    const before = this.#store.current()?.state ?? null;
    await ledger.announce(this.#noted(state), before);
    const saved = await this.#store.save(state, expected);
    ledger.settle(this.#noted(saved.state));
    return saved;
  }

  #noted(state: KeyringState): NotedRecords {
    const byDigest = this.#watch.isOnlyWriter && this.rollbackProtection === 'none';
    return { state, location: this.location, byDigest };
  }

  #refusal(found: string, command: string): AgentError {
    const { keyring, copyPath } = this.#watch;
    return new AgentError(
      'backend_unavailable',
      `keyring ${keyring}: the records of ${this.location} ${found}. Nothing was changed: put the file back ` +
        `(${copyPath} is what it held when it was saved last, if that is there: cp -p ${copyPath} ${this.location}); ` +
        `or give up knowingly what is missing: ${command}`,
    );
  }
}
