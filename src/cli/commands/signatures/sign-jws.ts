import { AgentError } from '../../../base/errors.ts';
import { compactJws, signingInputOf } from '../../../formats/jose/compact-jws.ts';
import { CommandError } from '../../shell/failure.ts';
import { headerAlg } from './jose-alg.ts';
import { maxSentMessageBytes, readInput } from '../../shell/message.ts';
import { ask, askAbout } from '../../shell/session.ts';
import { signatureBytes, type SignResult } from './made-signature.ts';
import type { Signed, SignOptions } from './sign-options.ts';
import type { GlobalOptions, Invocation } from '../../shell/terminal.ts';

/** What is signed has the file in base64, and a header. */
const maxPayloadBytes = Math.floor((maxSentMessageBytes * 3) / 4) - 1024;

/** A compact JWS (RFC 7515) over the bytes of a file: the header names the key, so that is known before it signs. */
export async function signJws(invocation: Invocation<SignOptions>): Promise<Signed> {
  const { terminal, globals, args, options } = invocation;
  const payload = await readInput(args[0], terminal, maxPayloadBytes);
  const { kid, alg } = options;
  try {
    return await signWith(kid ?? (await activeKid(globals)), { alg, payload, globals });
  } catch (failure) {
    const wasReplaced = failure instanceof AgentError && failure.kind === 'unknown_kid';
    if (kid !== undefined || !wasReplaced) throw failure;
    // The key that was active a moment ago is valid no more: the header names the next one.
    return signWith(await activeKid(globals), { alg, payload, globals });
  }
}

async function activeKid(globals: GlobalOptions): Promise<string> {
  const { keyring } = globals;
  return (await ask<{ kid: string }>(globals, 'active_key_id', { keyring })).kid;
}

async function signWith(
  kid: string,
  what: {
    readonly alg: string | undefined;
    readonly payload: Buffer;
    readonly globals: GlobalOptions;
  },
): Promise<Signed> {
  const { payload, globals } = what;
  const alg = await headerAlg(globals, kid, what.alg);
  const input = signingInputOf({ alg, kid }, payload);
  const params = { keyring: globals.keyring, kid };
  const result = await askAbout<SignResult>(
    Buffer.from(input, 'latin1'),
    globals,
    'sign',
    params,
  ).catch((failure: unknown) => {
    throw inTermsOfFile(failure, payload.length);
  });
  if (result.kid !== kid) throw new CommandError('the agent signed with another key');
  return { result, content: `${compactJws(input, signatureBytes(result))}\n` };
}

/** What is too large is not the file, but its JWS. */
function inTermsOfFile(failure: unknown, bytes: number): unknown {
  if (!(failure instanceof AgentError) || failure.kind !== 'too_large') return failure;
  const why = `a JWS has the ${bytes} bytes in base64: ${failure.message}`;
  return new AgentError('too_large', why, { details: failure.details, cause: failure });
}
