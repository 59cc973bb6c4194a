import * as z from 'zod';
import { parseTime } from '../base/rfc3339.ts';
import { parsePurpose, purposeNames } from './purposes.ts';
import { apiKeyId, apiKeyScopes, largestLimit, machineFingerprint } from './api-keys-format.ts';

/** What is asked of the administration of API keys, in the wire's words. null: no such restriction. */

/** Of each list of names. */
const mostNames = 100;
/** Longest life that may be asked for, in seconds: a hundred years. */
const longest = 100 * 366 * 24 * 3600;

const id = z.string().regex(apiKeyId, 'must be 1 to 31 of a-z, 0-9 and -, not beginning with -');
const scope = z.enum(apiKeyScopes);
const limit = z.int().min(1).max(largestLimit).nullable();
const list = (name: z.ZodString): z.ZodNullable<z.ZodArray<z.ZodString>> =>
  z.array(name).min(1, 'must not be empty; null is no restriction').max(mostNames).nullable();

const restrictions = {
  allowed_keyrings: list(z.string().min(1).max(256)).optional(),
  allowed_purposes: list(
    z.string().refine((text) => parsePurpose(text) !== null, {
      error: `must be ${purposeNames.join(', ')}, or sshsig:NAMESPACE`,
    }),
  ).optional(),
  allowed_users: list(
    z.string().regex(/^[^\s@*,:/]{1,256}$/u, 'must be the name of a user, or a uid in decimal'),
  ).optional(),
  allowed_machines: list(
    z.string().refine((text) => text === 'this' || machineFingerprint.test(text), {
      error: 'must be "this" or a fingerprint of 64 lowercase hex digits',
    }),
  ).optional(),
  expires_in_seconds: z.int().min(1).max(longest).optional(),
  expires_at: z
    .string()
    .refine((text) => parseTime(text) !== null, { error: 'must be an RFC 3339 time' })
    .meta({ format: 'date-time' })
    .nullable()
    .optional(),
  max_signatures_per_second: limit.optional(),
  max_connections: limit.optional(),
  note: z.string().max(1000).nullable().optional(),
};

export const apiKeyRequests = {
  create: { id, scope, ...restrictions, seal_to: z.string().optional() },
  update: { id, scope: scope.optional(), ...restrictions },
  revoke: { id },
};

type Output<S extends z.core.$ZodLooseShape> = z.output<z.ZodObject<S>>;
export type CreateApiKey = Omit<Output<typeof apiKeyRequests.create>, 'seal_to'>;
export type UpdateApiKey = Output<typeof apiKeyRequests.update>;
