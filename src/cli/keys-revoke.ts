import { createInterface } from 'node:readline/promises';
import type { Revocation } from '../keyring/signing-backend.ts';
import { CommandError, exitCodes, UsageError } from './failure.ts';
import { Output } from './output.ts';
import { ask } from './session.ts';
import { escapeControls } from './text.ts';
import type { Invocation, Terminal } from './terminal.ts';
import { when } from './when.ts';

export interface RevokeOptions {
  readonly reason?: string;
  readonly yes?: true;
}

/** `agentctl keys revoke KID`: asks first, because nothing brings the key back. */
export async function revokeKey(invocation: Invocation<RevokeOptions>): Promise<number> {
  const { terminal, globals, args, options } = invocation;
  const kid = args[0] ?? '';
  const { keyring } = globals;
  if (options.yes !== true) await confirm(terminal, kid);
  const params = { keyring, kid, reason: options.reason };
  const result = await ask<Revocation>(globals, 'revoke', params);
  const output = new Output(terminal);
  if (globals.json) {
    output.json(result);
    return exitCodes.done;
  }
  output.line(
    'revoked ',
    { text: result.kid, style: 'red' },
    ` ${when(result.revoked_at, terminal.now())}`,
  );
  if (result.new_active_kid !== undefined) {
    output.line('active  ', { text: result.new_active_kid, style: 'green' });
  }
  return exitCodes.done;
}

async function confirm(terminal: Terminal, kid: string): Promise<void> {
  if (terminal.stdin.isTTY !== true) {
    throw new UsageError('revoke asks for confirmation and there is no terminal; give --yes');
  }
  const lines = createInterface({
    input: terminal.stdin,
    output: terminal.stderr,
    terminal: false, // one plain line: no cursor control, and Ctrl-C stays a signal
  });
  // End of input is no confirmation.
  const ended = new Promise<string>((resolve) =>
    lines.once('close', () => {
      resolve('');
    }),
  );
  const name = escapeControls(kid);
  const question = `Revoke ${name}? Its signatures verify nowhere from then on, for good. [y/N] `;
  const answer = await Promise.race([lines.question(question), ended]);
  lines.close();
  if (!/^y(es)?$/i.test(answer.trim())) throw new CommandError('nothing was revoked');
}
