import { exitCodes } from '../../shell/failure.ts';
import { Output } from '../../shell/output.ts';
import { ask } from '../../shell/session.ts';
import type { Invocation } from '../../shell/terminal.ts';

export interface AttestOptions {
  readonly nonce: string;
}

/** `agentctl keys attest KID`: the document, whether --json or not. */
export async function attestKey(invocation: Invocation<AttestOptions>): Promise<number> {
  const { terminal, globals, args, options } = invocation;
  const { keyring } = globals;
  const params = { keyring, kid: args[0] ?? '', nonce_b64: options.nonce };
  new Output(terminal).json(await ask<object>(globals, 'attest', params));
  return exitCodes.done;
}
