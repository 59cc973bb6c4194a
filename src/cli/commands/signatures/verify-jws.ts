import {
  readCompactJws,
  type CompactJws,
  type JwsFault,
} from '../../../formats/jose/compact-jws.ts';
import { faultOfAlg } from '../../../formats/jose/accepted-algs.ts';
import { isKid } from '../../../algorithms/kid.ts';
import type { Verification } from '../../../api/signing-backend.ts';
import { keyringAlgorithm } from './jose-alg.ts';
import type { GivenKey } from './given-key.ts';
import type { GlobalOptions } from '../../shell/terminal.ts';

/** A text of that form, taken apart where it can be. */
export type JwsText = CompactJws | JwsFault;

const compactForm = /^[\w-]+\.[\w-]*\.[\w-]*$/;

/** The compact JWS (RFC 7515) that a signature file holds; null where it holds none. */
export function jwsIn(content: Buffer): JwsText | null {
  const text = content.toString('latin1').trim();
  return compactForm.test(text) ? readCompactJws(text) : null;
}

/** A signature over bytes, as it is verified without anything around it. */
interface PlainSignature {
  readonly message: Buffer;
  readonly signature: Buffer;
  /** undefined: whichever key is given. */
  readonly kid: string | undefined;
}

/** What of a JWS over `message` is left to verify; a refusal where it is none over it. */
type Unwrapped = PlainSignature | Verification;

/** For a keyring: its header names the key and that key's own algorithm. `kid`: the one that was asked for. */
export async function unwrapForKeyring(
  jws: JwsText,
  message: Buffer,
  globals: GlobalOptions,
  kid: string | undefined,
): Promise<Unwrapped> {
  if ('rule' in jws) return refuse(jws.reason);
  const named = jws.header['kid'];
  if (typeof named !== 'string' || !isKid(named)) {
    return refuse('the header of the JWS names no key (kid) of a keyring');
  }
  if (kid !== undefined && kid !== named) {
    return refuse(`the header of the JWS names key ${named}, not ${kid}`);
  }
  return unwrap(jws, { message, key: { algorithm: await keyringAlgorithm(globals) }, kid: named });
}

/** For a key that was given: whatever the header calls it. */
export function unwrapForKey(jws: JwsText, message: Buffer, key: GivenKey): Unwrapped {
  if ('rule' in jws) return refuse(jws.reason);
  return unwrap(jws, { message, key, kid: undefined });
}

function unwrap(
  jws: CompactJws,
  what: {
    readonly message: Buffer;
    readonly key: Pick<GivenKey, 'algorithm' | 'alg'>;
    readonly kid: string | undefined;
  },
): Unwrapped {
  const { message, key, kid } = what;
  const fault = faultOfAlg(jws.header['alg'], key);
  if (fault !== null) return refuse(`the algorithm in the header of the JWS ${fault}`);
  if (!jws.payload.equals(message)) return refuse('the payload of the JWS is not this message');
  return { message: jws.signingInput, signature: jws.signature, kid };
}

function refuse(reason: string): Verification {
  return { valid: false, kid: null, reason };
}
