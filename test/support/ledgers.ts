import type { ApiKeysLedger } from '../../src/access/api-keys-file.ts';
import type { KnownLog } from '../../src/agent/configured-audit-log.ts';
import type { TransactionLedger } from '../../src/database/database.ts';
import type { RecordsLedger } from '../../src/keyring/watch/records-ledger.ts';

/** Of tests that are not about what is known of a part of the state dir from outside it: nothing is, and is noted. */
export const noLedgers: {
  readonly transactions: TransactionLedger;
  readonly apiKeys: ApiKeysLedger;
  readonly records: RecordsLedger;
  readonly log: Omit<KnownLog, 'jwksCopyPath'>;
} = {
  transactions: { expected: null, acknowledge: () => Promise.resolve() },
  apiKeys: { expected: null, note: () => Promise.resolve() },
  records: { expected: null, announce: () => Promise.resolve(), settle: () => undefined },
  log: { head: null, notice: null, mark: { note: () => undefined } },
};
