import type { Rotation } from '../../../api/signing-backend.ts';
import { parseDuration } from '../../../base/duration.ts';
import { usualGraceSeconds } from '../../../keyring/usual-grace.ts';
import type { AgentStatus } from '../../../api/status.ts';
import { exitCodes, UsageError } from '../../shell/failure.ts';
import { Output } from '../../shell/output.ts';
import { ask } from '../../shell/session.ts';
import type { GlobalOptions, Invocation } from '../../shell/terminal.ts';
import { when } from '../../shell/when.ts';

export interface RotateOptions {
  readonly grace?: string;
}

/** `agentctl keys rotate`: a new key signs from now on, the previous one stays valid for the grace. */
export async function rotateKey(invocation: Invocation<RotateOptions>): Promise<number> {
  const { terminal, globals, options } = invocation;
  const { keyring } = globals;
  const grace =
    options.grace === undefined ? await configuredGrace(globals) : secondsOf(options.grace);
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

function secondsOf(text: string): number {
  const seconds = parseDuration(text);
  if (seconds !== null) return seconds;
  throw new UsageError(`--grace: not a duration: ${text} (90s 15m 24h 7d)`);
}

async function configuredGrace(globals: GlobalOptions): Promise<number> {
  const { keyrings } = await ask<AgentStatus>(globals, 'status');
  const own = keyrings.find(({ name }) => name === (globals.keyring ?? 'default'));
  return own?.rotation?.grace_seconds ?? usualGraceSeconds;
}
