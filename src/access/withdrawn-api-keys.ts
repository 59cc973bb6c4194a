import { hash } from 'node:crypto';
import type { ApiKeyEntry, ApiKeysDocument } from './api-keys-format.ts';

/** What is known of an API keys file from outside it. */
export interface KnownApiKeys {
  /** SHA-256 of each secret that was in the file when it was looked at last, lowercase hex. */
  readonly present: readonly string[];
  /** SHA-256 of each secret that was taken back, lowercase hex. */
  readonly revoked: readonly string[];
  /** SHA-256 of each entry that was replaced by another one of its id, lowercase hex. */
  readonly replaced: readonly string[];
}

export const nothingKnown: KnownApiKeys = { present: [], revoked: [], replaced: [] };

/** With what a change from `before` to `after` took back or replaced. */
export function knownAfter(
  known: KnownApiKeys | null,
  before: ApiKeysDocument,
  after: ApiKeysDocument,
): KnownApiKeys {
  const { revoked, replaced } = known ?? nothingKnown;
  const left = new Map(after.entries.map((entry) => [entry.id, entryDigest(entry)]));
  const there = new Set(before.entries.map(entryDigest));
  const withdrawn = before.entries.filter(({ id }) => !left.has(id)).flatMap(secretHashOf);
  const changed = before.entries
    .filter((entry) => left.has(entry.id) && left.get(entry.id) !== entryDigest(entry))
    .map(entryDigest);
  // What was written just now counts, also where it is as it once was.
  const written = new Set([...left.values()].filter((digest) => !there.has(digest)));
  return {
    present: after.entries.flatMap(secretHashOf),
    revoked: [...new Set([...revoked, ...withdrawn])],
    replaced: [...new Set([...replaced, ...changed])].filter((one) => !written.has(one)),
  };
}

/** Whether it has none of the keys that were there: it is another agent's file. */
export function isStranger({ entries }: ApiKeysDocument, { present }: KnownApiKeys): boolean {
  const known = new Set(present);
  return (
    entries.length > 0 &&
    known.size > 0 &&
    !entries.flatMap(secretHashOf).some((one) => known.has(one))
  );
}

/** The same file, in which an older copy gives nobody anything that was taken back since. */
export function withoutWithdrawn(
  document: ApiKeysDocument,
  { revoked, replaced }: KnownApiKeys,
): ApiKeysDocument {
  const withdrawn = new Set([...revoked, ...replaced]);
  if (withdrawn.size === 0) return document;
  return {
    entries: document.entries.map((entry) => {
      const { id, written } = entry;
      if (secretHashOf(entry).some((one) => withdrawn.has(one))) {
        const refused = `it was revoked, and an older copy of the file has it: agentctl apikey revoke ${id}`;
        return { id, written, key: null, refused };
      }
      if (!withdrawn.has(entryDigest(entry))) return entry;
      const refused =
        'it was changed since, and an older copy of the file has it as it was: put the newest file back, or say what ' +
        `it may: agentctl apikey update ${id} --scope app (or another one, and what restricts it)`;
      return { id, written, key: null, refused };
    }),
  };
}

function entryDigest({ written }: ApiKeyEntry): string {
  const members = Object.entries(written).toSorted(([one], [other]) => (one < other ? -1 : 1));
  return hash('sha256', JSON.stringify(members), 'hex');
}

/** Also of an entry that is refused. */
function secretHashOf({ written }: ApiKeyEntry): readonly string[] {
  const { hash: secret } = written;
  if (typeof secret !== 'string') return [];
  return [secret.slice('sha256:'.length).toLowerCase()];
}
