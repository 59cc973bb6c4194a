import * as z from 'zod';
import { wantedClaims } from '../../cluster/join-token-claims.ts';
import { tokenHash } from '../../cluster/join-token-identity.ts';
import { claimsSignedBytes, decodeJoinToken } from '../../cluster/join-token.ts';
import { AgentError } from '../../base/errors.ts';
import { fields } from './fields.ts';
import { method, outcome } from '../method.ts';

const reader = { scope: 'reader', reach: 'cluster', purpose: null } as const;

const revocable = z.string().transform((given, context) => {
  const decoded = decodeJoinToken(given);
  if ('token' in decoded) return { given, token: decoded.token };
  context.addIssue(`is no join token: ${decoded.reason}`);
  return z.NEVER;
});

const hash = z
  .string()
  .regex(/^[0-9a-f]{64}$/, 'must be the SHA-256 of a token, 64 lowercase hex digits');

/** The join tokens of the cluster. A token is as good as a password: it is in no record, only its hash is. */
export const joinTokenMethods = {
  join_token_mint: method({
    scope: 'app',
    reach: 'cluster',
    purpose: 'join-token',
    params: {
      claims: wantedClaims,
      ttl_seconds: fields.seconds.min(1).optional(),
      federated: z.boolean().default(false),
    },
    signatures: 1,
    act: async ({ claims, ttl_seconds: ttlSeconds, federated }, services, { caller }) => {
      const minted = await services.signing(caller, 1, () =>
        services.joinTokens.mint({ claims, ttlSeconds, federated }),
      );
      return outcome(minted, { kid: minted.kid, signed: [signedBytesOf(minted.token)] });
    },
  }),
  join_token_verify: method({
    ...reader,
    params: { token: z.string() },
    act: async ({ token }, services) => outcome(await services.joinTokens.verify(token)),
  }),
  join_token_revoke: method({
    scope: 'admin',
    reach: 'cluster',
    purpose: null,
    params: { token: revocable.optional(), hash: hash.optional() },
    subject: ({ token, hash: given }) =>
      given ?? (token === undefined ? null : tokenHash(token.given)),
    act: async ({ token, hash: given }, services) => {
      if ((token === undefined) === (given === undefined)) throw notOne();
      return outcome(await services.joinTokens.revoke(token ?? { hash: given ?? '' }));
    },
  }),
  join_token_revocations: method({
    ...reader,
    params: {},
    act: async (_params, services) => outcome(await services.joinTokens.revocations()),
  }),
};

/** As it stands in the token itself: the record is to be of what leaves. */
function signedBytesOf(token: string): Uint8Array {
  const decoded = decodeJoinToken(token);
  if ('rule' in decoded) throw new Error(`a token was minted that is none: ${decoded.reason}`);
  return claimsSignedBytes(decoded.token.claims);
}

function notOne(): AgentError {
  const message = 'exactly one of token and hash says what is revoked';
  return new AgentError('invalid_params', `params: ${message}`, {
    details: { issues: [{ field: 'params', message }] },
  });
}
