import * as z from 'zod';
import { accessTable, faultsOfRules, knownAccessKeys } from './access.ts';
import { clusterTable } from './cluster.ts';
import { reservedKeyring } from '../cluster/reserved-keyring.ts';
import { jwtKeys } from './jwt.ts';
import { keyringTable } from './keyring-table.ts';
import { rotationKeys } from './rotation.ts';

/** The configuration file (docs/configuration.md), as it is written. Pure: no file is read here. */

/** Also part of a file name under the state dir, so nothing that could leave it. */
const keyringName = /^[a-z0-9][a-z0-9_-]{0,30}$/;

const absolutePath = z.string().regex(/^\//, 'must be an absolute path');

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
    access: accessTable.prefault({}),
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
    cluster: clusterTable.schema.optional(),
    ssh_agent: sshAgent.optional(),
    log: z
      .strictObject({ level: z.enum(['debug', 'info', 'warn', 'error', 'silent']).default('info') })
      .prefault({}),
    keyrings: z
      .record(
        z.string().regex(keyringName, 'a keyring is named with a-z, 0-9, - and _, at most 31'),
        keyringTable.schema,
      )
      .refine((rings) => Object.keys(rings).length > 0, 'there must be at least one keyring')
      .prefault({ default: {} }),
  })
  .superRefine(({ access, audit, cluster, ssh_agent, keyrings }, context) => {
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
    const purposes = new Map(
      Object.entries(keyrings).map(([name, keyring]) => [name, keyring.purposes ?? null]),
    );
    for (const { path, message } of faultsOfRules(access, purposes)) {
      refuse(['access', ...path], message);
    }
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

/** Parts of the configuration that this version does not have: refused, never ignored. */
export const unavailableKeys: readonly string[] = ['http', 'state'];

/** Names that a mistyped key may have been meant as, by the path of the table they stand in. */
export function knownKeys(table: readonly PropertyKey[]): readonly string[] {
  const [first, second, third] = table;
  if (first === undefined) return Object.keys(configSchema.shape);
  if (first === 'socket') return Object.keys(configSchema.shape.socket.unwrap().shape);
  if (first === 'access') return knownAccessKeys(second === 'rules');
  if (first === 'audit') return Object.keys(configSchema.shape.audit.unwrap().shape);
  if (first === 'cluster') return clusterTable.knownKeys;
  if (first === 'ssh_agent') return Object.keys(sshAgent.shape);
  if (first === 'log') return Object.keys(configSchema.shape.log.unwrap().shape);
  if (first === 'keyrings' && third === 'rotation') return rotationKeys;
  if (first === 'keyrings' && third === 'jwt') return jwtKeys;
  return first === 'keyrings' && second !== undefined ? keyringTable.knownKeys : [];
}

/** Why a key is refused that its table has beside another kind of backend; null for any other key. */
export function refusalOfKind(table: readonly PropertyKey[], key: string): string | null {
  const [first, , third] = table;
  if (third !== undefined) return null;
  if (first === 'cluster') return clusterTable.refusal(key);
  return first === 'keyrings' ? keyringTable.refusal(key) : null;
}
