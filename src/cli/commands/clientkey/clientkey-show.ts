import type { ClientKeyView } from '../../../api/client-keys.ts';
import { ownerText } from './clientkey-text.ts';
import { exitCodes } from '../../shell/failure.ts';
import { Output } from '../../shell/output.ts';
import { ask } from '../../shell/session.ts';
import type { Invocation } from '../../shell/terminal.ts';
import { when } from '../../shell/when.ts';

/** `agentctl clientkey show ID`. */
export async function showClientKey({ terminal, globals, args }: Invocation): Promise<number> {
  const key = await ask<ClientKeyView>(globals, 'clientkey_show', { id: args[0] ?? '' });
  const output = new Output(terminal);
  if (globals.json) {
    output.json(key);
    return exitCodes.done;
  }
  const now = terminal.now();
  const { label, last_used_at, revoked_at } = key;
  output.table([
    ['id', key.id],
    ['owner', ownerText(key)],
    ...(label === null ? [] : [['label', label]]),
    ['recipient', key.recipient],
    ['public key', key.public_key_b64],
    ['created', when(key.created_at, now)],
    ['last used', last_used_at === null ? 'never' : when(last_used_at, now)],
    ...(revoked_at === null ? [] : [['revoked', when(revoked_at, now)]]),
  ]);
  return exitCodes.done;
}
