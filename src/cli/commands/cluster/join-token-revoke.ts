import type { RevokedTokenView } from '../../../api/join-tokens.ts';
import { exitCodes } from '../../shell/failure.ts';
import { readJoinToken } from './join-token-input.ts';
import { Output } from '../../shell/output.ts';
import { ask } from '../../shell/session.ts';
import type { Invocation } from '../../shell/terminal.ts';
import { when } from '../../shell/when.ts';

/** `agentctl join-token revoke TOKEN|HASH`. No token is written as a hash is: its base64 has other letters too. */
export async function revokeJoinToken(invocation: Invocation): Promise<number> {
  const { terminal, globals, args } = invocation;
  const given = await readJoinToken(args[0] ?? '-', terminal);
  const isHash = /^[0-9a-f]{64}$/i.test(given);
  const params = isHash ? { hash: given.toLowerCase() } : { token: given };
  const result = await ask<RevokedTokenView>(globals, 'join_token_revoke', params);
  const output = new Output(terminal);
  if (globals.json) {
    output.json(result);
    return exitCodes.done;
  }
  output.line(`revoked ${result.hash} until it expires ${when(result.expires_at, terminal.now())}`);
  if (result.by === 'hash') {
    terminal.stderr.write(
      'Only its hash is known: a token that lives longer is valid again then. Revoke the token itself if you have it.\n',
    );
  }
  return exitCodes.done;
}
