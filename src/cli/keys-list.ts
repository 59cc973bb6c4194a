import type { KeyDetails } from '../keyring/signing-backend.ts';
import { exitCodes } from './failure.ts';
import { stateCell, untilText } from './key-text.ts';
import { Output, protectionInWords, type Cell } from './output.ts';
import { ask } from './session.ts';
import type { Invocation } from './terminal.ts';
import { when } from './when.ts';

/** `agentctl keys list`: every key of the keyring, whatever its state. */
export async function listKeys({ terminal, globals }: Invocation): Promise<number> {
  const { keyring } = globals;
  const result = await ask<{ keys: readonly KeyDetails[] }>(globals, 'list_keys', { keyring });
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
  for (const protection of new Set(result.keys.map((key) => key.protection))) {
    output.line(protectionInWords(protection));
  }
  return exitCodes.done;
}
