import type { SignedJws } from '../../../api/formats.ts';
import type { JsonObject } from '../../../api/jwt.ts';
import type { Signature } from '../../../api/signing-backend.ts';
import { algorithmNames } from '../../../algorithms/algorithm-names.ts';
import { encodeBase64 } from '../../../base/base64.ts';
import { compactJws, signingInputOf } from '../../../formats/jose/compact-jws.ts';
import { readJsonObject } from '../../../formats/jose/json-object.ts';
import { faultsOfJson, refuseFaults, type ClaimFault } from '../../../formats/jose/jwt-claims.ts';
import type { Keyring } from '../../../keyring/keyring.ts';

export interface JwsRequest {
  readonly payload: Uint8Array;
  /** What stands in the header beside `alg` and `kid`; `alg` where it is not to be the usual one. */
  readonly headers: JsonObject;
  readonly kid: string;
}

/** Extensions that change what is signed, which nothing here understands (RFC 7515, section 4.1.11; RFC 7797). */
const extensions = ['crit', 'b64'];

/**
 * Signs a compact JWS (RFC 7515). Rejects with `invalid_params` for a header that is not the key's or that no reader
 * would take, and as `Keyring.sign`.
 */
export async function signJws(
  { payload, headers, kid }: JwsRequest,
  by: {
    readonly keyring: Keyring;
    /** Makes the one signature, where the agent's queue has room for it. */
    readonly signing: (make: () => Promise<Signature>) => Promise<Signature>;
  },
): Promise<{ readonly signed: SignedJws; readonly signedBytes: Buffer }> {
  const { keyring } = by;
  refuseFaults(faultsOfHeaders(headers, kid, keyring));
  const input = signingInputOf({ alg: keyring.joseAlg, ...headers, kid }, payload);
  const signedBytes = Buffer.from(input, 'latin1');
  const { signature } = await by.signing(() => keyring.sign(signedBytes, kid));
  const signature_b64 = encodeBase64(signature);
  return { signed: { kid, signature_b64, jws: compactJws(input, signature) }, signedBytes };
}

function faultsOfHeaders(
  headers: JsonObject,
  kid: string,
  { name, description: { algorithm } }: Keyring,
): readonly ClaimFault[] {
  const faults: ClaimFault[] = [...faultsOfJson(headers, 'headers')];
  const has = (member: string): boolean => Object.hasOwn(headers, member);
  const algs: readonly unknown[] = algorithmNames[algorithm].jose.algs;
  if (has('alg') && !algs.includes(headers['alg'])) {
    const message = `the ${algorithm} keys of keyring ${name} sign with ${algs.join(' or ')}`;
    faults.push({ field: 'headers.alg', message });
  }
  if (has('kid') && headers['kid'] !== kid) {
    faults.push({ field: 'headers.kid', message: 'is set by the agent: leave it out' });
  }
  for (const extension of extensions.filter(has)) {
    faults.push({ field: `headers.${extension}`, message: 'extensions are not understood here' });
  }
  const read = readJsonObject(Buffer.from(JSON.stringify(headers), 'utf8'));
  if ('fault' in read) faults.push({ field: 'headers', message: read.fault });
  return faults;
}
