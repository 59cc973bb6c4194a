import { join } from 'node:path';
import type { ApiKeysLedger } from '../../../access/api-keys-file.ts';
import type { ApiKeyList, CreatedApiKey } from '../../../api/api-keys.ts';
import { ConnectionError } from '../../../client/connection-error.ts';
import type { Settings } from '../../../config/settings.ts';
import { openLibc } from '../../../native/libc.ts';
import { durableFiles } from '../../../files/durable-files.ts';
import type { Files } from '../../../base/files.ts';
import type { World } from '../../../base/world.ts';
import { apiKeysOf, runningAgent } from '../../offline/api-keys-offline.ts';
import { CommandError } from '../../shell/failure.ts';
import { agentSocket } from '../../offline/offline-settings.ts';
import { ask } from '../../shell/session.ts';
import type { GlobalOptions, Invocation, Terminal } from '../../shell/terminal.ts';

/** The API key `admin`: whether it was made now, and the file with its secret then. */
export interface AdminKey {
  readonly made: boolean;
  readonly file: string | null;
}

const there: AdminKey = { made: false, file: null };
const wanted = { id: 'admin', scope: 'admin', note: 'made by agentctl init' } as const;

/** Where no agent runs. The secret is in its file before the key counts: a crash in between leaves nothing open. */
export async function adminKeyHere({
  settings,
  ledger,
  world: { files },
  terminal,
}: {
  readonly settings: Settings;
  readonly ledger: ApiKeysLedger;
  readonly world: Pick<World, 'files'>;
  readonly terminal: Terminal;
}): Promise<AdminKey> {
  const { apiKeys } = apiKeysOf(settings, ledger, terminal);
  if (apiKeys.list().keys.some(({ id }) => id === wanted.id)) return there;
  const file = fileIn(settings);
  await apiKeys.create(wanted, async (secret) => {
    await keep(file, Buffer.concat([secret, Buffer.from('\n')]), files);
    return {};
  });
  return { made: true, file };
}

/** By the agent that runs on the state dir. */
export async function adminKeyOfAgent(
  settings: Settings,
  { terminal, globals }: Pick<Invocation, 'terminal' | 'globals'>,
): Promise<AdminKey> {
  const named = agentSocket(globals, {}, terminal);
  const at = { ...globals, socket: named.socket ?? settings.socket.path };
  const { keys } = await list(at, settings);
  if (keys.some(({ id }) => id === wanted.id)) return there;
  const file = fileIn(settings);
  const { id, secret = '' } = await ask<CreatedApiKey>(at, 'apikey_create', wanted);
  try {
    await keep(file, Buffer.from(`${secret}\n`), durableFiles(openLibc()));
  } catch (failure) {
    await ask(at, 'apikey_revoke', { id }); // nobody has its secret
    throw failure;
  }
  return { made: true, file };
}

async function list(at: GlobalOptions, settings: Settings): Promise<ApiKeyList> {
  try {
    return await ask<ApiKeyList>(at, 'apikey_list');
  } catch (failure) {
    if (!(failure instanceof ConnectionError) || failure.reason !== 'unreachable') throw failure;
    const running = runningAgent(settings) ?? 'it has ended by now: try again';
    throw new CommandError(`${failure.message}; but ${running}`, { cause: failure });
  }
}

function fileIn({ stateDir }: Settings): string {
  return join(stateDir, 'admin-key.txt');
}

/** A secret from before, of a key that is there no more, is good for nothing and is replaced. */
async function keep(path: string, text: Buffer, files: Files): Promise<void> {
  try {
    await files.replace(path, text, files.identify(path));
  } finally {
    text.fill(0);
  }
}
