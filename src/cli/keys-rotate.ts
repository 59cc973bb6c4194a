import type { Rotation } from '../keyring/signing-backend.ts';
import { parseDuration } from '../duration.ts';
import { exitCodes, UsageError } from './failure.ts';
import { Output } from './output.ts';
import { ask } from './session.ts';
import type { Invocation } from './terminal.ts';
import { when } from './when.ts';

export interface RotateOptions {
  readonly grace: string;
}

/** `agentctl keys rotate`: a new key signs from now on, the previous one stays valid for the grace. */
export async function rotateKey(invocation: Invocation<RotateOptions>): Promise<number> {
  const { terminal, globals, options } = invocation;
  const grace = parseDuration(options.grace);
  if (grace === null) {
    throw new UsageError(`--grace: not a duration: ${options.grace} (90s 15m 24h 7d)`);
  }
  const { keyring } = globals;
  const result = await ask<Rotation>(globals, 'rotate', { keyring, grace_seconds: grace });
  const output = new Output(terminal);
  if (globals.json) {
    output.json(result);
    return exitCodes.done;
  }
  const now = terminal.now();
  output.table([
    ['active', { text: result.new_active_kid, style: 'green' }],
    ['public key', result.new_active_public_key_b64],
    ['previous', { text: result.previous_kid, style: 'yellow' }],
    ['valid until', when(result.previous_grace_until, now)],
  ]);
  return exitCodes.done;
}
