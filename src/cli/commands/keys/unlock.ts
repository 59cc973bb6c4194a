import { exitCodes } from '../../shell/failure.ts';
import { Output } from '../../shell/output.ts';
import { readPinInput } from '../../shell/pin-input.ts';
import { ask } from '../../shell/session.ts';
import type { Invocation } from '../../shell/terminal.ts';

export interface UnlockOptions {
  readonly pinFile?: string;
  readonly again?: true;
}

/** A slow device may take its time to log in and to prove a key; its own calls have a deadline. Milliseconds. */
const patience = 120_000;

/** `agentctl unlock`: gives a keyring the PIN of its token. */
export async function unlockKeyring(invocation: Invocation<UnlockOptions>): Promise<number> {
  const { terminal, globals, options } = invocation;
  const { keyring = 'default' } = globals;
  const pin = await readPinInput(options.pinFile, keyring, terminal);
  try {
    const params = { keyring, pin: pin.toString('utf8'), again: options.again };
    const result = await ask<object>(globals, 'unlock', params, { timeoutMs: patience });
    const output = new Output(terminal);
    if (globals.json) output.json(result);
    else output.line(`keyring ${keyring} is unlocked`);
    return exitCodes.done;
  } finally {
    pin.fill(0);
  }
}
