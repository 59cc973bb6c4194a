import * as z from 'zod';
import type { StatePart } from '../../base/forget-command.ts';
import { describeProblem, time } from '../document-fields.ts';

/**
 * What a state dir has, as far as somebody may rely on it. The agent writes it, so that what is gone, cut off, or
 * put back from an older copy is missed. It has no secret.
 */
export interface Manifest {
  /** 32 hex digits, made with the first manifest: another agent's manifest has other ones. */
  readonly stateId: string;
  /** Goes up by one with each version; the higher of two copies is the newer one. */
  readonly serial: number;
  readonly keyrings: ReadonlyMap<string, KeyringEntry>;
  /** null as long as there is no `agent.db`. */
  readonly database: DatabaseEntry | null;
  /** null as long as nothing was ever recorded. */
  readonly audit: AuditEntry | null;
  /** null as long as there is no `api-keys.json`. */
  readonly apiKeys: ApiKeysEntry | null;
  /** What an operator gave up knowingly, and no audit record says yet. */
  readonly forgotten: readonly Forgotten[];
}

export interface KeyringEntry {
  /** Where its key records are: a path, a table. */
  readonly location: string;
  /** Every key whose private half is kept, in the order they were made. */
  readonly kids: readonly string[];
  readonly active: string | null;
  /** Of records that may be there, lowercase hex; empty where something else notices an older copy. */
  readonly digests: readonly string[];
}

interface DatabaseEntry {
  /** Of the newest transaction that was acknowledged. */
  readonly serial: number;
}

interface AuditEntry {
  /** Of a record that was written: the log goes at least that far. */
  readonly seq: number;
  /** SHA-256 of that record's line, lowercase hex. */
  readonly hash: string;
}

interface ApiKeysEntry {
  /** False: an operator gave the file up. */
  readonly isThere: boolean;
  /** SHA-256 of each secret that was in the file, lowercase hex. */
  readonly present: readonly string[];
  /** SHA-256 of each secret that was taken back, lowercase hex. */
  readonly revoked: readonly string[];
  /** SHA-256 of each entry that was replaced by another one of its id, lowercase hex. */
  readonly replaced: readonly string[];
}

export interface Forgotten {
  readonly part: StatePart;
  /** Of a keyring. */
  readonly name: string | null;
  /** RFC 3339. */
  readonly at: string;
}

const sha256 = z.string().regex(/^[0-9a-f]{64}$/, 'must be a SHA-256 in lowercase hex');
const count = z.int().min(0);

const document = z.strictObject({
  version: z.literal(1),
  state_id: z.string().regex(/^[0-9a-f]{32}$/, 'must be 32 hex digits'),
  serial: z.int().min(1),
  keyrings: z.record(
    z.string(),
    z.strictObject({
      location: z.string(),
      kids: z.array(z.string()),
      active: z.string().nullable(),
      digests: z.array(sha256),
    }),
  ),
  database: z.strictObject({ serial: count }).nullable(),
  audit: z.strictObject({ seq: count, hash: sha256 }).nullable(),
  api_keys: z
    .strictObject({
      is_there: z.boolean(),
      present: z.array(sha256),
      revoked: z.array(sha256),
      replaced: z.array(sha256),
    })
    .nullable(),
  forgotten: z.array(
    z.strictObject({
      part: z.enum(['keyring', 'database', 'audit', 'api-keys', 'manifest']),
      name: z.string().nullable(),
      at: time,
    }),
  ),
});

/** The manifest of a state dir that is new, or has none yet. */
export function emptyManifest(stateId: string): Manifest {
  return {
    stateId,
    serial: 0,
    keyrings: new Map(),
    database: null,
    audit: null,
    apiKeys: null,
    forgotten: [],
  };
}

export type ReadManifest =
  | { readonly manifest: Manifest }
  | {
      /** Ends a sentence about the file. */
      readonly fault: string;
      /** A newer version of this program wrote it: it is no ruin. */
      readonly isNewer: boolean;
    };

export function parseManifest(bytes: Uint8Array): ReadManifest {
  try {
    const json: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
    if (isOfNewerVersion(json)) return { fault: newer(json), isNewer: true };
    const { state_id, serial, keyrings, database, audit, api_keys, forgotten } =
      document.parse(json);
    return {
      manifest: {
        stateId: state_id,
        serial,
        keyrings: new Map(Object.entries(keyrings)),
        database,
        audit,
        apiKeys:
          api_keys === null
            ? null
            : {
                isThere: api_keys.is_there,
                present: api_keys.present,
                revoked: api_keys.revoked,
                replaced: api_keys.replaced,
              },
        forgotten,
      },
    };
  } catch (failure) {
    return { fault: `is damaged: ${describeProblem(failure)}`, isNewer: false };
  }
}

export function manifestText(manifest: Manifest): string {
  const { stateId, serial, keyrings, database, audit, apiKeys, forgotten } = manifest;
  const text: z.input<typeof document> = {
    version: 1,
    state_id: stateId,
    serial,
    keyrings: Object.fromEntries(
      [...keyrings].map(([name, { location, kids, active, digests }]) => [
        name,
        { location, kids: [...kids], active, digests: [...digests] },
      ]),
    ),
    database,
    audit,
    api_keys:
      apiKeys === null
        ? null
        : {
            is_there: apiKeys.isThere,
            present: [...apiKeys.present],
            revoked: [...apiKeys.revoked],
            replaced: [...apiKeys.replaced],
          },
    forgotten: [...forgotten],
  };
  return `${JSON.stringify(text, null, 2)}\n`;
}

function isOfNewerVersion(json: unknown): json is { version: number } {
  if (typeof json !== 'object' || json === null || !('version' in json)) return false;
  return typeof json.version === 'number' && Number.isInteger(json.version) && json.version > 1;
}

function newer({ version }: { version: number }): string {
  return `has version ${version}, and this program knows version 1: run the newer signing-agent that wrote it`;
}
