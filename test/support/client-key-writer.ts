// A process that registers client keys: `PATH TIMES UID`, each a key of its own.
import { randomBytes } from 'node:crypto';
import { clientKeyId } from '../../src/access/client-key.ts';
import { AgentError } from '../../src/base/errors.ts';
import { ClientKeyTable } from '../../src/database/client-key-table.ts';
import { openDatabase, type Database } from '../../src/database/database.ts';

const [path = '', times = '0', uid = '0'] = process.argv.slice(2);

async function opened(): Promise<Database> {
  for (;;) {
    try {
      return await openDatabase(path);
    } catch (failure) {
      if (!(failure instanceof AgentError) || failure.kind !== 'conflict') throw failure;
    }
  }
}

const database = await opened();
const table = new ClientKeyTable(database);
for (let left = Number(times); left > 0;) {
  try {
    await table.atomically(() => {
      const actor = { kind: 'user', id: uid } as const;
      const before = table.count(actor);
      table.add({
        id: clientKeyId(randomBytes(16)),
        actor,
        publicKey: randomBytes(32),
        label: String(before + 1),
        createdAt: '2026-05-14T17:55:00.000Z',
        lastUsedAt: null,
        revokedAt: null,
      });
    });
    left -= 1;
  } catch (failure) {
    if (!(failure instanceof AgentError) || failure.kind !== 'conflict') throw failure;
  }
}
database.close();
