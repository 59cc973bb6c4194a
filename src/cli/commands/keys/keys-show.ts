import { AgentError } from '../../../base/errors.ts';
import type { KeyDetails } from '../../../api/signing-backend.ts';
import { exitCodes } from '../../shell/failure.ts';
import type { KeyFormat } from './keys-export.ts';
import { stateCell, untilText } from '../../shell/key-text.ts';
import { Output, protectionInWords, type Cell } from '../../shell/output.ts';
import { ask } from '../../shell/session.ts';
import type { Invocation } from '../../shell/terminal.ts';
import { when } from '../../shell/when.ts';

export interface ShowOptions {
  /** Of the public key alone. */
  readonly format?: KeyFormat;
}

/**
 * `agentctl keys show KID`: one key with everything that is known of it, the token's evidence included; with
 * `--format` its public key alone, which needs no admin.
 */
export async function showKey(invocation: Invocation<ShowOptions>): Promise<number> {
  const { terminal, globals, args, options } = invocation;
  const { format } = options;
  if (format !== undefined) {
    return (await import('./keys-export.ts')).exportKey({ ...invocation, options: { format } });
  }
  const kid = args[0] ?? '';
  const { keyring } = globals;
  const { keys } = await ask<{ keys: readonly KeyDetails[] }>(globals, 'list_keys', { keyring });
  const key = keys.find((candidate) => candidate.kid === kid);
  if (key === undefined) {
    const where = keyring === undefined ? '' : ` in keyring ${keyring}`;
    throw new AgentError('unknown_kid', `no key ${kid}${where}; agentctl keys list shows all`);
  }
  const output = new Output(terminal);
  if (globals.json) output.json(key);
  else output.table(describe(key, terminal.now()));
  return exitCodes.done;
}

function describe(key: KeyDetails, now: number): Cell[][] {
  const rows: Cell[][] = [
    ['kid', { text: key.kid, style: 'bold' }],
    ['state', stateCell(key.state)],
    ['valid until', untilText(key, now)],
    ['created', when(key.created_at, now)],
    ['public key', key.public_key_b64],
    ['protection', protectionInWords(key.protection)],
  ];
  if (key.reason !== undefined) rows.push(['reason', key.reason]);
  if (key.object_id !== null) rows.push(['object id', key.object_id]);
  for (const [name, value] of Object.entries(key.attributes ?? {})) {
    rows.push([name, typeof value === 'string' ? value : JSON.stringify(value)]);
  }
  return rows;
}
