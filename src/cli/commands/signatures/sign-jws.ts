import type { SignedJws } from '../../../api/formats.ts';
import { readCompactJws } from '../../../formats/jose/compact-jws.ts';
import { maxSentMessageBytes, readInput } from '../../shell/message.ts';
import { askAbout } from '../../shell/session.ts';
import { requireAlg } from './jose-alg.ts';
import { notAsAsked } from './made-signature.ts';
import type { Signed, SignOptions } from './sign-options.ts';
import type { Invocation } from '../../shell/terminal.ts';

/** The answer has the file in base64, and a header. */
const maxPayloadBytes = Math.floor((maxSentMessageBytes * 3) / 4) - 1024;

/** A compact JWS (RFC 7515) over the bytes of a file, under a header with `alg` and `kid`. */
export async function signJws(invocation: Invocation<SignOptions>): Promise<Signed> {
  const { terminal, globals, args, options } = invocation;
  const { kid, alg } = options;
  const payload = await readInput(args[0], terminal, maxPayloadBytes);
  if (alg !== undefined) await requireAlg(globals, alg);
  const params = {
    ...{ keyring: globals.keyring, kid },
    headers: alg === undefined ? undefined : { alg },
  };
  const result = await askAbout<SignedJws>(payload, globals, 'sign_jws', params, 'payload_b64');
  if (!isAsAsked(result, { kid, alg, payload })) throw notAsAsked();
  return { result, content: `${result.jws}\n` };
}

function isAsAsked(
  { kid, jws }: SignedJws,
  asked: {
    readonly kid: string | undefined;
    readonly alg: string | undefined;
    readonly payload: Buffer;
  },
): boolean {
  const made = typeof jws === 'string' ? readCompactJws(jws) : null;
  if (made === null || 'rule' in made || made.header['kid'] !== kid) return false;
  if ((asked.kid ?? kid) !== kid || (asked.alg ?? made.header['alg']) !== made.header['alg']) {
    return false;
  }
  return made.payload.equals(asked.payload);
}
