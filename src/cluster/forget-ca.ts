import { kidOf } from '../algorithms/kid.ts';
import { AgentError, quoted } from '../base/errors.ts';
import type { Vault } from '../vault/vault.ts';
import type { CaRecords } from './ca-records.ts';

/** The CA that is recorded, if it is that one. Throws `not_found` for another, and where there is none. */
export function requireRecordedCa(records: Pick<CaRecords, 'read'> | null, kid: string): void {
  const recorded = records?.read()?.key?.kid ?? null;
  if (recorded === kid) return;
  throw new AgentError(
    'not_found',
    recorded === null
      ? 'no cluster CA is recorded here: there is nothing to forget'
      : `the cluster CA here is ${recorded}, not ${quoted(kid)}`,
  );
}

/**
 * Forgets the CA that is recorded, so that the next one who opens it makes another. Rejects with `conflict` while a key
 * is at its place: the next one would take that up as the CA again. Rejects as the vault does while it cannot be looked
 * at: a key that is out of sight may come back.
 */
export async function forgetCa(
  { vault, where }: { readonly vault: Vault; readonly where: string },
  records: CaRecords,
): Promise<void> {
  const found = await vault.list();
  if (found.length > 0) {
    const named = found.map(({ objectId, publicKey }) =>
      publicKey === null ? `half a key (object id ${objectId})` : `key ${kidOf(publicKey)}`,
    );
    throw new AgentError(
      'conflict',
      `the cluster CA is not forgotten while its key could be used again: ${where} has ${named.join(', ')}. Move that ` +
        'away, or remove it, and ask again',
    );
  }
  // As of one that was announced and never made: what is announced without an object is nothing to look for.
  await records.write({ backend: vault.name, objectId: null, key: null });
}
