import * as z from 'zod';
import { scopes } from '../../../api/principal.ts';
import { nextChange } from './keyring-results.ts';
import { algorithm, anyObject, backend, count, empty, kid, protection, time } from './shapes.ts';

const scope = z.enum(scopes);
const ids = { uid: count.nullable(), pid: count.nullable() };
const principal = z.object({
  principal: z.union([
    z.object({
      kind: z.literal('user'),
      name: z.string().describe('The login name, or the uid in decimal.'),
      uid: count,
      pid: count,
      scope,
    }),
    z.object({
      kind: z.literal('api_key'),
      name: z.string().describe('The id of the API key.'),
      ...ids,
      scope,
      api_key: z.string().describe('As name.'),
    }),
    z.object({
      kind: z.literal('network'),
      name: z.string().describe('Address and port.'),
      uid: z.null(),
      pid: z.null(),
      scope,
    }),
  ]),
});

const connections = { open: count, accepted: count.describe('Since the start.') };
const health = z.enum(['ok', 'locked', 'unavailable']);
const lastError = z.object({ kind: z.string(), message: z.string(), at: time }).nullable();

const keyringStatus = z.object({
  name: z.string(),
  backend,
  protection: protection.nullable(),
  rollback_protection: z.enum(['token', 'none']).nullable(),
  algorithm,
  purposes: z.array(z.string()).nullable().describe('null: everything.'),
  active_kid: kid.nullable(),
  key_counts: z
    .record(z.enum(['prepared', 'active', 'grace', 'revoked', 'retired']), count)
    .nullable(),
  health: health.describe('locked: it waits for unlock.'),
  last_error: lastError,
  rotation: z
    .object({ every_seconds: count, prepublish_seconds: count, grace_seconds: count })
    .nullable()
    .describe('null: by hand.'),
  next_rotation: time.nullable(),
  next_change: nextChange.nullable(),
});

const status = z.object({
  agent: z.object({ version: z.string(), pid: count, started_at: time }),
  keyrings: z.array(keyringStatus),
  connections: z.object(connections).nullable(),
  ssh_agent: z.object({ path: z.string(), ...connections }).nullable(),
  counters: z
    .object({
      requests: count,
      errors: count,
      signatures: count,
      authentication_failures: count,
      wrong_signatures: count,
    })
    .nullable(),
  access: z.object({ api_keys: count, warnings: z.array(z.string()) }).nullable(),
  audit: z
    .object({
      enabled: z.boolean(),
      fsync: z.boolean(),
      health: z.enum(['ok', 'unavailable']),
      last_seq: count.nullable(),
      file: z.string().nullable(),
      last_error: z.object({ message: z.string(), at: time }).nullable(),
    })
    .nullable(),
  cluster: z
    .object({
      domain: z.string(),
      keyring: z.string(),
      backend,
      ca_kid: kid.nullable(),
      protection: protection.nullable(),
      health,
      last_error: lastError,
      certificate_error: lastError,
    })
    .nullable(),
});

export const agentResults = {
  ping: empty,
  whoami: principal,
  status: status.describe(
    'To an API key for some keyrings alone, what is about the whole agent is null.',
  ),
  'rpc.discover': z.object({
    openrpc: z.string(),
    info: z.object({ title: z.string(), version: z.string(), description: z.string() }),
    methods: z.array(anyObject),
    components: z.object({ errors: z.record(z.string(), anyObject) }),
    'x-errors': z.record(z.string(), anyObject),
  }),
  authenticate: principal,
  reload: z.object({
    reloaded: z.array(z.string()).describe('Parts that are as in their files now.'),
    kept: z.array(
      z.object({
        part: z.string(),
        reason: z.string(),
        failed: z.boolean().describe('False: it was changed, and counts after a restart.'),
      }),
    ),
  }),
};
