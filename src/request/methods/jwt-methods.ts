import * as z from 'zod';
import { isJsonObject } from '../../formats/jose/json-object.ts';
import { halfSurrogate } from '../../formats/jose/jwt-claims.ts';
import { signJwt } from './jwt/jwt-signing.ts';
import { verifyJwt } from '../../formats/jose/jwt-verification.ts';
import { keyringJwks, verificationKeys } from './jwt/keyring-keys.ts';
import { fields } from './fields.ts';
import { method, outcome } from '../method.ts';

const { keyring, kid } = fields;
const reader = { scope: 'reader', reach: 'keyring', purpose: null } as const;

/** As it came: what is signed is what was asked for, every name of it. */
const claims = z
  .custom<Readonly<Record<string, unknown>>>(isJsonObject, 'must be a JSON object')
  .meta({ type: 'object' });

const name = z
  .string()
  .min(1)
  .max(1000)
  .refine((text) => !halfSurrogate.test(text), 'has half of a surrogate pair, which is no text');

/** A media type (RFC 6838, section 4.2), `application/` left out where that is meant: `JWT`, `at+jwt`. */
const typ = z
  .string()
  .regex(/^([\w!#$&^.+-]{1,127}\/)?[\w!#$&^.+-]{1,127}$/, 'must be a media type');
const alg = z.enum(['EdDSA', 'Ed25519', 'ES256']);

/** How far a signer's clock may be off at most, seconds: 10 minutes. */
const largestSkew = 600;

/** JSON Web Tokens and key sets of a keyring (RFC 7519, RFC 7517). */
export const jwtMethods = {
  jwks: method({
    ...reader,
    params: { keyring },
    act: async (params, services) => outcome(await keyringJwks(services.keyring(params.keyring))),
  }),
  jwt_sign: method({
    scope: 'app',
    reach: 'keyring',
    purpose: 'jwt',
    signatures: 1,
    params: {
      keyring,
      kid: kid.optional(),
      claims: claims.default({}),
      ttl_seconds: fields.seconds.min(1),
      audience: z.union([name, z.array(name).min(1).max(100)]).optional(),
      subject: name.optional(),
      alg: alg.optional(),
      typ: typ.optional(),
    },
    act: async (params, services, { caller }) => {
      const signed = await signJwt(
        {
          claims: params.claims,
          ttlSeconds: params.ttl_seconds,
          audience: params.audience ?? null,
          subject: params.subject ?? null,
        },
        {
          keyring: services.keyring(params.keyring),
          policy: services.jwtPolicy(params.keyring),
          kid: params.kid ?? null,
          alg: params.alg ?? null,
          typ: params.typ ?? null,
          randomBytes: (size) => services.randomBytes(size),
          signing: (make) => services.signing(caller, 1, make),
        },
      );
      const { token, kid: by } = signed;
      const input = Buffer.from(token.slice(0, token.lastIndexOf('.')), 'latin1');
      return outcome(signed, { kid: by, signed: [input] });
    },
  }),
  jwt_verify: method({
    ...reader,
    params: {
      keyring,
      token: z.string(),
      audience: name.optional(),
      typ: typ.optional(),
      clock_skew_seconds: z.int().min(0).max(largestSkew).default(0),
    },
    act: async (params, services) => {
      const of = services.keyring(params.keyring);
      const verdict = await verifyJwt(params.token, await verificationKeys(of), {
        now: of.trustedNow(),
        audience: params.audience ?? null,
        skewSeconds: params.clock_skew_seconds,
        typ: params.typ ?? null,
      });
      return outcome(verdict);
    },
  }),
};
