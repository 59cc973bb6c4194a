import * as z from 'zod';
import { jwtRules } from '../../../api/jwt.ts';
import { anyObject, base64url, kid, signature, time } from './shapes.ts';

const made = { kid, signature_b64: signature };

const jwk = { kid, use: z.literal('sig'), alg: z.enum(['EdDSA', 'Ed25519', 'ES256']) };
const jwks = z.object({
  keys: z.array(
    z.union([
      z.object({
        ...jwk,
        kty: z.literal('OKP'),
        crv: z.literal('Ed25519'),
        x: base64url(32),
      }),
      z.object({
        ...jwk,
        kty: z.literal('EC'),
        crv: z.literal('P-256'),
        x: base64url(32),
        y: base64url(32),
      }),
    ]),
  ),
});

/** Signatures in the formats of other programs, and JSON Web Tokens. */
export const formatResults = {
  sign_sshsig: z.object({
    ...made,
    sshsig: z.string().describe('Armored, as ssh-keygen writes it.'),
  }),
  sign_minisign: z.object({
    ...made,
    global_signature_b64: signature.describe('Over the signature and the trusted comment.'),
    minisig: z.string().describe('The signature file, four lines.'),
  }),
  sign_jws: z.object({ ...made, jws: z.string().describe('Compact (RFC 7515, section 7.1).') }),
  jwks,
  jwt_sign: z.object({
    token: z.string(),
    kid,
    jti: base64url(16),
    expires_at: time.describe('exp of the claims.'),
  }),
  jwt_verify: z.union([
    z.object({
      valid: z.literal(true),
      kid,
      header: anyObject,
      claims: anyObject,
      expires_at: time.describe('exp of the claims.'),
    }),
    z.object({
      valid: z.literal(false),
      kid: kid.nullable().describe('The key that made the signature; null: not known.'),
      rule: z.enum(jwtRules).describe('The first rule that it breaks.'),
      reason: z.string(),
    }),
  ]),
};
