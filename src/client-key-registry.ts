import type { AccessControl } from './access/access-control.ts';
import { ClientKeys } from './access/client-keys.ts';
import type { Libc } from './native/libc.ts';
import type { AgentDatabase } from './state/agent-database.ts';
import { ClientKeyTable } from './state/client-key-store.ts';
import type { World } from './world.ts';

/** The client keys of an agent: in its database, for the users of this machine and its API keys. */
export function clientKeyRegistry(
  database: AgentDatabase,
  access: AccessControl,
  accounts: Pick<Libc, 'userId' | 'userName'>,
  world: World,
): ClientKeys {
  return new ClientKeys({
    existing: () => (database.current === null ? null : new ClientKeyTable(database.current)),
    made: async () => new ClientKeyTable(await database.made()),
    accounts,
    hasApiKey: (id) => access.keys.keys.has(id),
    world,
  });
}
