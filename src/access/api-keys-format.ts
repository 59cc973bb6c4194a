import * as z from 'zod';
import { AgentError, quoted } from '../base/errors.ts';
import { membersIn, writtenIn } from '../base/json-members.ts';
import { parseTime } from '../base/rfc3339.ts';
import type { ApiKey } from './api-key.ts';
import { parsePurpose } from './purposes.ts';

/**
 * The API keys file (docs/formats.md), version 1, as other programs of a cluster write it too.
 * `allowed_purposes`, `max_signatures_per_second` and `max_connections` are optional additions of ours; null is read as
 * a member that is left out. What cannot be understood without doubt gives nobody anything: a file that is none is refused whole, an
 * entry whose scope or restrictions cannot be evaluated is refused by name, and both are left as they are.
 */

/** One key of the file. `written` is its members as they stand there, unknown ones included. */
export type ApiKeyEntry = {
  readonly id: string;
  readonly written: Readonly<Record<string, unknown>>;
} & (
  | { readonly key: ApiKey; readonly refused: null }
  /** Nobody can use it: why, and the remedy. */
  | { readonly key: null; readonly refused: string }
);

export interface ApiKeysDocument {
  readonly entries: readonly ApiKeyEntry[];
}

export const noEntries: ApiKeysDocument = { entries: [] };

/** Of a key's name. */
export const apiKeyId = /^[a-z0-9][a-z0-9-]{0,30}$/;
/** SHA-256 over a label and the machine's id, in hex. */
export const machineFingerprint = /^[0-9a-f]{64}$/;
/** Most signatures a second, or connections, that a limit can say. */
export const largestLimit = 1_000_000;
export const apiKeyScopes = ['reader', 'app', 'admin'] as const;
/** Deeper than any entry of ours or others; keeps the walk over a hostile document short. */
const maxDepth = 16;

const time = z
  .string()
  .refine((text) => parseTime(text) !== null, { error: 'must be an RFC 3339 time' });

const file = z.strictObject({
  version: z.literal(1),
  keys: z.array(z.record(z.string(), z.unknown())),
});

/** What every entry has; without it nobody knows whose it is. */
const base = z.looseObject({
  id: z.string().regex(apiKeyId, 'must match [a-z0-9][a-z0-9-]{0,30}'),
  hash: z.string().regex(/^sha256:[0-9a-fA-F]{64}$/, 'must be sha256: and 64 hex digits'),
  created_at: time,
  note: z.string().nullish(),
});

const limit = z.int().min(1).max(largestLimit);
const names = z.array(z.string());
const purposes = z.array(z.string()).transform((texts, context) => {
  const read = texts.map((text) => parsePurpose(text));
  if (!read.includes(null)) return new Set(read.filter((one) => one !== null));
  context.addIssue('has a purpose that this version does not know');
  return z.NEVER;
});

/** What narrows a key down: the form of each member, and the flag of `apikey update` that writes it anew. */
const restrictions = {
  expires_at: { form: time, flag: '--expires 30d' },
  allowed_users: { form: names, flag: '--user NAME' },
  allowed_machines: {
    form: z.array(z.string().regex(machineFingerprint, 'must be 64 lowercase hex digits')),
    flag: '--machine this',
  },
  allowed_keyrings: { form: names, flag: '--keyring NAME' },
  allowed_purposes: { form: purposes, flag: '--purpose NAME' },
  max_signatures_per_second: { form: limit, flag: '--max-signatures N' },
  max_connections: { form: limit, flag: '--max-connections N' },
} as const;

const restriction = z.object({
  scope: z.enum(apiKeyScopes),
  expires_at: time.nullish(),
  allowed_users: names.nullish(),
  allowed_machines: restrictions.allowed_machines.form.nullish(),
  allowed_keyrings: names.nullish(),
  allowed_purposes: purposes.nullish(),
  max_signatures_per_second: limit.nullish(),
  max_connections: limit.nullish(),
});

const known: ReadonlySet<string> = new Set([
  'id',
  'hash',
  'scope',
  'created_at',
  'note',
  ...Object.keys(restrictions),
]);

/**
 * The keys of a file's text. `name` is the file's, for messages. Throws `backend_unavailable` naming file, entry and
 * remedy where it is no API keys file, of another version, or has two keys or two members of one name.
 */
export function parseApiKeys(text: string, name: string): ApiKeysDocument {
  const document = json(text, name);
  const outcome = file.safeParse(document);
  if (!outcome.success) throw refused(name, problems(outcome.error));
  // As they were written, not as they were understood.
  const { keys } = document as { readonly keys: readonly Readonly<Record<string, unknown>>[] };
  const entries = keys.map((written, at) => {
    const outcome = base.safeParse(written);
    if (outcome.success) return entryOf(written);
    const id = typeof written['id'] === 'string' ? ` ${quoted(written['id'])}` : '';
    throw refused(name, `entry ${at + 1}${id}: ${problems(outcome.error)}`);
  });
  const seen = new Set<string>();
  for (const { id } of entries) {
    if (seen.has(id)) throw refused(name, `two entries have the id ${quoted(id)}`);
    seen.add(id);
  }
  return { entries };
}

/** As the file is written. Entries that were not changed keep every member, times to the last digit. */
export function printApiKeys({ entries }: ApiKeysDocument): string {
  return `${JSON.stringify({ version: 1, keys: entries.map(({ written }) => written) }, null, 2)}\n`;
}

/** What an entry is, by its members, of which those that every entry has must be right. */
export function entryOf(written: Readonly<Record<string, unknown>>): ApiKeyEntry {
  const { id, hash, created_at, note } = base.parse(written);
  const faults = faultsOf(written, id);
  if (faults.length > 0) return { id, written, key: null, refused: faults.join('; ') };
  const read = restriction.parse(written);
  const key: ApiKey = {
    id,
    hash: Buffer.from(hash.slice('sha256:'.length), 'hex'),
    scope: read.scope,
    createdAt: created_at,
    expiresAt: read.expires_at ?? null,
    allowedUsers: read.allowed_users ?? null,
    allowedMachines: read.allowed_machines ?? null,
    allowedKeyrings: read.allowed_keyrings ?? null,
    allowedPurposes: read.allowed_purposes ?? null,
    maxSignaturesPerSecond: read.max_signatures_per_second ?? null,
    maxConnections: read.max_connections ?? null,
    note: note ?? null,
  };
  return { id, written, key, refused: null };
}

/** Why an entry gives nobody anything, each with its remedy. */
function faultsOf(written: Readonly<Record<string, unknown>>, id: string): readonly string[] {
  const update = (flag: string): string => `agentctl apikey update ${id} ${flag}`;
  const faults: string[] = [];
  const scope = written['scope'] ?? null;
  if (scope === null) {
    faults.push(`it has no scope: ${update('--scope app')} (or reader, or admin)`);
  } else if (!apiKeyScopes.some((one) => one === scope)) {
    const given = typeof scope === 'string' ? quoted(scope) : 'no text';
    faults.push(
      `its scope is ${given}, and must be reader, app or admin: ${update('--scope app')}`,
    );
  }
  for (const [member, { form, flag }] of Object.entries(restrictions)) {
    const outcome = form.nullish().safeParse(written[member]);
    if (!outcome.success) {
      faults.push(`${member} cannot be read (${problems(outcome.error)}): ${update(flag)}`);
    }
  }
  const unknown = Object.keys(written).filter((member) => !known.has(member));
  if (unknown.length > 0) {
    const list = unknown.slice(0, 5).map(quoted).join(', ');
    faults.push(
      `this version does not know what ${list} means, which may restrict it: take that out of the file, ` +
        `or agentctl apikey revoke ${id}`,
    );
  }
  return faults;
}

/** Which of two members of one name counts, another program may see otherwise: an expiry, a scope. */
function json(text: string, name: string): unknown {
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch {
    // V8's own text quotes the content.
    throw refused(name, 'it is not JSON');
  }
  const members = membersIn(document, maxDepth);
  if (members === null) throw refused(name, `it is nested more than ${maxDepth} levels deep`);
  if (members !== writtenIn(text).members) {
    throw refused(name, 'a member stands twice in the same object');
  }
  return document;
}

function problems(error: z.ZodError): string {
  const [first] = error.issues;
  if (first === undefined) return 'it is malformed';
  const at = first.path.map(String).join('.');
  return at === '' ? first.message : `${at}: ${first.message}`;
}

function refused(name: string, reason: string): AgentError {
  return new AgentError(
    'backend_unavailable',
    `${name} is refused: ${reason}. Correct it, or put it back from a copy`,
  );
}
