import type { AccessControl } from '../access/access-control.ts';
import { ClientKeys } from '../access/client-keys.ts';
import type { Libc } from '../native/libc.ts';
import type { AgentDatabase } from '../database/agent-database.ts';
import { ClientKeyTable } from '../database/client-key-table.ts';
import type { World } from '../base/world.ts';

/** The client keys of an agent: in its database, for the users of this machine and its API keys. */
export function clientKeyRegistry(
  database: AgentDatabase,
  access: AccessControl,
  accounts: Pick<Libc, 'userId' | 'userName'>,
  world: World,
): ClientKeys {
  return new ClientKeys({
    opened: () => (database.current === null ? null : new ClientKeyTable(database.current)),
    openOrCreate: async () => new ClientKeyTable(await database.openOrCreate()),
    accounts,
    hasApiKey: (id) => access.keys.keys.has(id),
    world,
  });
}
