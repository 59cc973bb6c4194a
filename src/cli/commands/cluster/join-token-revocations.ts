import type { RevokedTokenList } from '../../../api/join-tokens.ts';
import { exitCodes } from '../../shell/failure.ts';
import { Output, type Cell } from '../../shell/output.ts';
import { ask } from '../../shell/session.ts';
import type { Invocation } from '../../shell/terminal.ts';
import { when } from '../../shell/when.ts';

/** `agentctl join-token revocations`: by hash, since a token is in no record. */
export async function listRevocations({ terminal, globals }: Invocation): Promise<number> {
  const result = await ask<RevokedTokenList>(globals, 'join_token_revocations');
  const output = new Output(terminal);
  if (globals.json) {
    output.json(result);
    return exitCodes.done;
  }
  if (result.revocations.length === 0) {
    output.line('no revoked join tokens');
    return exitCodes.done;
  }
  const now = terminal.now();
  const header = ['HASH', 'KEY', 'REVOKED', 'UNTIL'].map((text): Cell => ({ text, style: 'dim' }));
  const rows = result.revocations.map((one): readonly Cell[] => [
    one.hash,
    one.kid ?? '-',
    when(one.revoked_at, now),
    when(one.expires_at, now),
  ]);
  output.table([header, ...rows]);
  if (result.older !== undefined) output.line(`and ${result.older} that were revoked before those`);
  return exitCodes.done;
}
