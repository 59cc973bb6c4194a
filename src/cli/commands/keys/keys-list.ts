import type { NextChange } from '../../../api/status.ts';
import type { KeyDetails } from '../../../api/signing-backend.ts';
import { exitCodes } from '../../shell/failure.ts';
import { stateCell, untilText } from '../../shell/key-text.ts';
import { changeInWords } from '../../shell/next-change.ts';
import { Output, protectionInWords, type Cell } from '../../shell/output.ts';
import { ask } from '../../shell/session.ts';
import type { Invocation } from '../../shell/terminal.ts';
import { when } from '../../shell/when.ts';

interface ListedKeys {
  readonly keys: readonly KeyDetails[];
  readonly next_change?: NextChange | null;
}

/** `agentctl keys list`: every key of the keyring, whatever its state. */
export async function listKeys({ terminal, globals }: Invocation): Promise<number> {
  const { keyring } = globals;
  const result = await ask<ListedKeys>(globals, 'list_keys', { keyring });
  const output = new Output(terminal);
  if (globals.json) {
    output.json(result);
    return exitCodes.done;
  }
  const now = terminal.now();
  const header = ['KID', 'STATE', 'CREATED', 'VALID UNTIL', 'PROTECTION'].map((text): Cell => ({
    text,
    style: 'dim',
  }));
  const rows = result.keys.map((key): Cell[] => [
    key.kid,
    stateCell(key.state),
    when(key.created_at, now),
    untilText(key, now),
    key.protection,
  ]);
  output.table([header, ...rows]);
  output.line('');
  if (result.next_change) output.line(`next: ${changeInWords(result.next_change, now)}`);
  for (const protection of new Set(result.keys.map((key) => key.protection))) {
    output.line(protectionInWords(protection));
  }
  return exitCodes.done;
}
