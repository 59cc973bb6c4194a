import { z } from 'zod';
import { clusterKeys, clusterTable } from './cluster.ts';
import { reservedKeyring } from '../cluster/reserved-keyring.ts';
import { duration } from './fields.ts';
import { rotationKeys, rotationTable } from './rotation.ts';

/** The configuration file (contract section 7), as it is written. Pure: no file is read here. */

/** Also part of a file name under the state dir, so nothing that could leave it. */
const keyringName = /^[a-z0-9][a-z0-9_-]{0,30}$/;

const absolutePath = z.string().regex(/^\//, 'must be an absolute path');

const keyring = z
  .strictObject({
    backend: z.enum(['file', 'pkcs11']).default('file'),
    path: z.string().min(1).optional(),
    uri: z.string().optional(),
    algorithm: z.enum(['ed25519', 'es256']).default('ed25519'),
    require: z.enum(['software', 'hardware-wrapped', 'hardware']).default('software'),
    require_seal: z.boolean().default(false),
    library_parameters: z
      .string()
      .min(1)
      .max(4096)
      .refine((text) => !text.includes('\0'), 'must not contain a NUL')
      .optional(),
    sessions: z.int().min(1).max(64).optional(),
    optional: z.boolean().default(false),
    rotation: rotationTable.optional(),
    call_timeout: duration
      .refine((seconds) => seconds >= 1 && seconds <= 600, 'must be 1s to 10m')
      .default(10),
    environment: z
      .array(z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/, 'must be the name of a variable'))
      .default([]),
  })
  .superRefine((given, context) => {
    const refuse = (key: string, message: string): void => {
      context.addIssue({ code: 'custom', path: [key], message });
    };
    if (given.backend === 'pkcs11') {
      if (given.uri === undefined) refuse('uri', 'a pkcs11 keyring needs the URI of its token');
      if (given.path !== undefined) refuse('path', 'only a file keyring has a path');
      return;
    }
    if (given.uri !== undefined) refuse('uri', 'only a pkcs11 keyring has a URI');
    if (given.require_seal) {
      refuse('require_seal', 'a keystore file keeps its own records; only a token keeps a seal');
    }
    if (given.library_parameters !== undefined) {
      refuse('library_parameters', 'only a pkcs11 keyring has a module that takes parameters');
    }
    if (given.environment.length > 0) {
      refuse('environment', 'only a pkcs11 keyring has a module that needs variables');
    }
    if (given.algorithm !== 'ed25519') {
      refuse('algorithm', 'a keystore file holds Ed25519 keys only: use backend = "pkcs11"');
    }
  });

/** A user, `@` and a group, an id in decimal for either. Whether there is such a one is looked up later. */
const accountName = z
  .string()
  .regex(/^@?[^\s@*,:/]{1,256}$/u, 'must name a user, or a group after @, or be an id in decimal');
const everybody = z.literal('*');
const accounts = z.array(z.union([everybody, accountName]));
const limit = z.int().min(1).max(1_000_000);

const socketFile = {
  path: absolutePath.optional(),
  mode: z
    .string()
    .regex(/^0?[0-7]{3}$/, 'must be an octal mode such as "0660"')
    .default('0600'),
  group: z.string().min(1).optional(),
};

/** `[ssh_agent]` */
const sshAgent = z.strictObject({
  ...socketFile,
  keyrings: z.array(z.string()).min(1).default(['default']),
});

export const configSchema = z
  .strictObject({
    state_dir: absolutePath.optional(),
    socket: z
      .strictObject({
        ...socketFile,
        max_frame_bytes: z
          .int()
          .min(1024)
          .max(16 * 1024 * 1024)
          .default(256 * 1024),
        max_connections: z.int().min(1).max(1_000_000).default(10_000),
        max_connections_per_uid: z.int().min(1).max(1_000_000).default(1000),
      })
      .prefault({}),
    access: z
      .strictObject({
        admins: z.array(accountName).default([]),
        apps: accounts.default([]),
        readers: accounts.default([]),
        max_signatures_per_second_per_uid: limit.optional(),
        max_signatures_per_second_per_key: limit.optional(),
        max_connections_per_key: limit.optional(),
      })
      .prefault({}),
    audit: z
      .strictObject({
        enabled: z.boolean().default(true),
        fsync: z.boolean().default(true),
        max_file_bytes: z
          .int()
          .min(16 * 1024)
          .max(4 * 1024 * 1024 * 1024)
          .default(64 * 1024 * 1024),
        keyring: z.string().optional(),
      })
      .optional(),
    cluster: clusterTable.optional(),
    ssh_agent: sshAgent.optional(),
    log: z
      .strictObject({ level: z.enum(['debug', 'info', 'warn', 'error', 'silent']).default('info') })
      .prefault({}),
    keyrings: z
      .record(
        z.string().regex(keyringName, 'a keyring is named with a-z, 0-9, - and _, at most 31'),
        keyring,
      )
      .refine((rings) => Object.keys(rings).length > 0, 'there must be at least one keyring')
      .prefault({ default: {} }),
  })
  .superRefine(({ audit, cluster, ssh_agent, keyrings }, context) => {
    const refuse = (path: PropertyKey[], message: string): void => {
      context.addIssue({ code: 'custom', path, message });
    };
    const requireKeyring = (path: PropertyKey[], name: string | undefined): void => {
      if (name === undefined || Object.hasOwn(keyrings, name)) return;
      refuse(path, 'names no keyring of this configuration');
    };
    requireKeyring(['audit', 'keyring'], audit?.keyring);
    requireKeyring(['cluster', 'keyring'], cluster?.keyring);
    ssh_agent?.keyrings.forEach((name, at) => {
      requireKeyring(['ssh_agent', 'keyrings', at], name);
    });
    if (Object.hasOwn(keyrings, reservedKeyring)) {
      refuse(
        ['keyrings', reservedKeyring],
        'the name is kept for the CA of a cluster: take another',
      );
    }
    const ofCluster = cluster === undefined ? undefined : keyrings[cluster.keyring];
    if (ofCluster !== undefined && ofCluster.algorithm !== 'ed25519') {
      refuse(
        ['cluster', 'keyring'],
        'certificates and join tokens are for Ed25519 keys, and that keyring has others',
      );
    }
  });

export type Config = z.output<typeof configSchema>;
export type KeyringConfig = Config['keyrings'][string];

/** Parts of the configuration that this version does not have: refused, never ignored. */
export const unavailableKeys: readonly string[] = ['http', 'state'];

/** Names that a mistyped key may have been meant as, by the path of the table they stand in. */
export function knownKeys(table: readonly PropertyKey[]): readonly string[] {
  const [first, second, third] = table;
  if (first === undefined) return Object.keys(configSchema.shape);
  if (first === 'socket') return Object.keys(configSchema.shape.socket.unwrap().shape);
  if (first === 'access') return Object.keys(configSchema.shape.access.unwrap().shape);
  if (first === 'audit') return Object.keys(configSchema.shape.audit.unwrap().shape);
  if (first === 'cluster') return clusterKeys;
  if (first === 'ssh_agent') return Object.keys(sshAgent.shape);
  if (first === 'log') return Object.keys(configSchema.shape.log.unwrap().shape);
  if (first === 'keyrings' && third === 'rotation') return rotationKeys;
  return first === 'keyrings' && second !== undefined ? Object.keys(keyring.shape) : [];
}
