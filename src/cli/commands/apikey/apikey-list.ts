import type { ApiKeyList, ListedApiKey } from '../../../api/api-keys.ts';
import { administer } from './apikey-session.ts';
import { restrictionsText } from './apikey-text.ts';
import { exitCodes } from '../../shell/failure.ts';
import type { OfflineOptions } from '../../offline/offline-settings.ts';
import { Output, type Cell, type Style } from '../../shell/output.ts';
import type { Invocation } from '../../shell/terminal.ts';
import { when } from '../../shell/when.ts';

const styles: Readonly<Record<ListedApiKey['state'], Style>> = {
  valid: 'green',
  expired: 'yellow',
  refused: 'red',
};

/** `agentctl apikey list`. */
export async function listApiKeys(invocation: Invocation<OfflineOptions>): Promise<number> {
  const { terminal, globals } = invocation;
  const result = await administer<ApiKeyList>(invocation, 'apikey_list');
  const output = new Output(terminal);
  if (globals.json) {
    output.json(result);
    return exitCodes.done;
  }
  const { keys, last_used_since: since } = result;
  if (keys.length === 0) {
    output.line('no API keys');
    return exitCodes.done;
  }
  const now = terminal.now();
  const header = ['NAME', 'SCOPE', 'STATE', 'EXPIRES', 'LAST USED', 'ONLY FOR', 'NOTE'].map(
    (text): Cell => ({ text, style: 'dim' }),
  );
  output.table([header, ...keys.map((key) => row(key, now))]);
  for (const { id, refused_reason: reason } of keys) {
    if (reason === undefined) continue;
    output.line('');
    output.line(`${id} is refused: ${reason}`);
  }
  output.line('');
  output.line(
    since === null
      ? 'When keys were used is known to a running agent alone.'
      : `Last used: since the agent's start, ${when(since, now)}.`,
  );
  return exitCodes.done;
}

function row(key: ListedApiKey, now: number): readonly Cell[] {
  const { id, scope, state, expires_at, last_used_at, note } = key;
  return [
    id,
    scope ?? '-',
    { text: state, style: styles[state] },
    expires_at === null ? '-' : when(expires_at, now),
    last_used_at === null ? '-' : when(last_used_at, now),
    restrictionsText(key),
    note ?? '',
  ];
}
