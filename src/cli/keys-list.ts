import type { NextChange } from '../keyring/rotation-schedule.ts';
import type { KeyDetails } from '../keyring/signing-backend.ts';
import { exitCodes } from './failure.ts';
import { stateCell, untilText } from './key-text.ts';
import { changeInWords } from './next-change.ts';
import { Output, protectionInWords, type Cell } from './output.ts';
import { ask } from './session.ts';
import type { Invocation } from './terminal.ts';
import { when } from './when.ts';

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
