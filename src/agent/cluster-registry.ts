import type { CertificateSource } from '../cluster/certificate-source.ts';
import { JoinTokens } from '../cluster/join-tokens.ts';
import { RevokedTokens } from '../cluster/revoked-tokens.ts';
import { TrustBundles, type OwnCa } from '../cluster/trust-bundles.ts';
import type { Keyring } from '../keyring/keyring.ts';
import type { AgentDatabase } from '../database/agent-database.ts';
import type { Database } from '../database/database.ts';
import { RevokedTokenTable } from '../database/revoked-token-table.ts';
import { TrustBundleTable } from '../database/trust-bundle-table.ts';
import type { World } from '../base/world.ts';

export interface ClusterParts {
  readonly database: AgentDatabase;
  /** The cluster's keyring. Throws where there is no cluster, or it cannot be used. */
  readonly keyring: () => Keyring;
  readonly certificates: CertificateSource;
  readonly ownCa: () => OwnCa | null;
  /** How long a join token may be valid, seconds. */
  readonly longestJoinToken: number;
  readonly world: World;
}

/** The trust bundles and join tokens of an agent: what is kept of them is in its database. */
export function clusterRegistry(parts: ClusterParts): {
  readonly trustBundles: TrustBundles;
  readonly joinTokens: JoinTokens;
} {
  const { database, keyring, certificates, ownCa, longestJoinToken, world } = parts;
  const bundles = kept(database, (open) => new TrustBundleTable(open));
  const trustBundles = new TrustBundles({ ...bundles, ownCa, world });
  const revoked = new RevokedTokens(kept(database, (open) => new RevokedTokenTable(open)));
  const joinTokens = new JoinTokens({
    ...{ keyring, certificates, bundles: trustBundles, revoked },
    longestSeconds: longestJoinToken,
  });
  return { trustBundles, joinTokens };
}

/** A table of a database that is made when something is first kept in it. */
function kept<Table>(
  database: AgentDatabase,
  table: (open: Database) => Table,
): { opened: () => Table | null; openOrCreate: () => Promise<Table> } {
  return {
    opened: () => (database.current === null ? null : table(database.current)),
    openOrCreate: async () => table(await database.openOrCreate()),
  };
}
