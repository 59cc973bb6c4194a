import type { ClientKeyList, ClientKeyView } from '../../../api/client-keys.ts';
import { actorParam, ownerText } from './clientkey-text.ts';
import { exitCodes } from '../../shell/failure.ts';
import { Output, type Cell } from '../../shell/output.ts';
import { ask } from '../../shell/session.ts';
import type { Invocation } from '../../shell/terminal.ts';
import { when } from '../../shell/when.ts';

export interface ListOptions {
  readonly all?: true;
  readonly actor?: string;
}

/** `agentctl clientkey list`: the caller's own keys, and for an admin everybody's, the newest first. */
export async function listClientKeys(invocation: Invocation<ListOptions>): Promise<number> {
  const { terminal, globals, options } = invocation;
  const params = { include_revoked: options.all, actor: actorParam(options.actor) };
  const result = await ask<ClientKeyList>(globals, 'clientkey_list', params);
  const output = new Output(terminal);
  if (globals.json) {
    output.json(result);
    return exitCodes.done;
  }
  if (result.keys.length === 0) {
    output.line('no client keys');
    return exitCodes.done;
  }
  const now = terminal.now();
  const header = ['ID', 'OWNER', 'LABEL', 'LAST USED'].map((text): Cell => ({
    text,
    style: 'dim',
  }));
  output.table([header, ...result.keys.map((key) => row(key, now))]);
  const { older_revoked: older } = result;
  if (older !== undefined) output.line(`and ${older} that were revoked before those`);
  return exitCodes.done;
}

function row(key: ClientKeyView, now: number): readonly Cell[] {
  const { id, label, last_used_at, revoked_at } = key;
  const used = last_used_at === null ? 'never' : when(last_used_at, now);
  const state: Cell =
    revoked_at === null ? used : { text: `revoked ${when(revoked_at, now)}`, style: 'red' };
  return [id, ownerText(key), label ?? '-', state];
}
