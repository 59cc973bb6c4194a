import { decodeBase64 } from '../../../base/base64.ts';
import type { PublicJwkSet } from '../../../api/jwt.ts';
import type { Keyring } from '../../../keyring/keyring.ts';
import { jwkOf, type PublicKey } from '../../../formats/jose/jwks.ts';
import type { VerificationKeys } from '../../../formats/jose/jwt-verification.ts';

/** The keys that are valid now, by kid: the active one and those in grace. */
export async function verificationKeys(keyring: Keyring): Promise<VerificationKeys> {
  const keys = await publicKeys(keyring, { includePrepared: false });
  return new Map(keys.map((key) => [key.kid, [key]]));
}

/** The JWK Set of a keyring (RFC 7517): the active key, those in grace, the prepared one, in this order. */
export async function keyringJwks(keyring: Keyring): Promise<PublicJwkSet> {
  const { joseAlg: alg } = keyring;
  const keys = await publicKeys(keyring, { includePrepared: true });
  return { keys: keys.map((key) => jwkOf({ ...key, alg })) };
}

async function publicKeys(
  keyring: Keyring,
  options: { includePrepared: boolean },
): Promise<readonly PublicKey[]> {
  const { algorithm } = keyring.description;
  const views = await keyring.listValidPubkeys(options);
  return views.map(({ kid, public_key_b64 }) => {
    const bytes = decodeBase64(public_key_b64);
    if (bytes === null) throw new Error('a public key of a keyring is not base64');
    return { kid, algorithm, bytes };
  });
}
