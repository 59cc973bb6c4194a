import * as z from 'zod';
import { decodeBase64 } from '../../base/base64.ts';
import type { KeyRecord, KeyringState } from '../key-records.ts';
import { encodeBase64 } from '../../base/base64.ts';
import { activated, duplicateOf, revoked, time, prepared } from '../../files/document-fields.ts';

/**
 * Keystore v1, as other programs of a cluster read and write it: the private keys and the key records in one
 * JSON file. `prepared`, `revoked`, `activated`, `latest_time` and `pruned` are optional additions of ours. Members that are not known here are kept
 * as they are. A revoked key has no seed any more, so it stands in `revoked` alone.
 */

const seedLength = 32;
/** No program works for longer on what it read than it takes to prune so many keys. */
const mostPruned = 1000;

const seed = z.string().refine((text) => decodeBase64(text)?.length === seedLength, {
  error: `must be base64 of ${seedLength} bytes`,
});

const keystore = z.looseObject({
  version: z.literal(1),
  keys: z
    .array(z.looseObject({ id: z.string().min(1), seed_b64: seed, created_at: time }))
    .min(1)
    .superRefine((keys, context) => {
      const twice = duplicateOf(keys.map((key) => key.id));
      if (twice !== null) context.addIssue(`two keys have the id ${twice}`);
    }),
  active: z.string(),
  /** One odd time of another program must not take the other keys away: such a key is valid no more. */
  retired_grace_until: z.record(z.string(), z.string()).optional(),
  prepared: prepared.optional(),
  activated: activated.optional(),
  latest_time: time.optional(),
  /** kid → when its grace had ended. */
  pruned: z.record(z.string(), time).optional(),
  revoked: z
    .record(z.string(), revoked.extend({ public_key_b64: z.string(), created_at: time }))
    .optional(),
});

export type Keystore = z.output<typeof keystore>;

/** The document, checked but for what needs the keys themselves. Throws a ZodError or an Error with the reason. */
export function parseKeystore(text: string): Keystore {
  const document = keystore.parse(JSON.parse(text));
  const names = (kid: string): boolean => document.keys.some(({ id }) => id === kid);
  if (!names(document.active)) throw new Error(`active names no key: ${document.active}`);
  const undead = Object.keys(document.revoked ?? {}).find(names);
  if (undead !== undefined) throw new Error(`key ${undead} is revoked and still has a seed`);
  return document;
}

/** The key records of a document; `publicKeys` has the raw public key of each key that has a seed. */
export function stateOf(
  document: Keystore,
  publicKeys: ReadonlyMap<string, Uint8Array>,
): KeyringState {
  const record = (kid: string, createdAt: string, publicKey: Uint8Array): [string, KeyRecord] => [
    kid,
    { kid, publicKey, createdAt, objectId: kid },
  ];
  const gone = Object.entries(document.revoked ?? {});
  return {
    keys: new Map([
      ...document.keys.map(({ id, created_at }) =>
        record(id, created_at, publicKeys.get(id) ?? new Uint8Array()),
      ),
      ...gone.map(([kid, { public_key_b64, created_at }]) =>
        record(kid, created_at, decodeBase64(public_key_b64) ?? new Uint8Array()),
      ),
    ]),
    active: document.active,
    prepared: preparedOf(document),
    graceUntil: new Map(Object.entries(document.retired_grace_until ?? {})),
    revoked: new Map(gone.map(([kid, { at, reason }]) => [kid, { at, reason: reason ?? null }])),
    pending: [],
    activated: document.activated ?? null,
    latestTime: document.latest_time ?? null,
  };
}

/** A program that knows version 1 alone may have removed or activated the key: then none is prepared. */
function preparedOf({ prepared: waiting, keys, active }: Keystore): KeyringState['prepared'] {
  if (waiting === undefined || waiting.kid === active) return null;
  if (!keys.some(({ id }) => id === waiting.kid)) return null;
  return { kid: waiting.kid, activatesAt: waiting.activates_at };
}

/**
 * The text of a state. `pruned`: see `KnownRecords`; `seeds` has the base64 seed of every key that is not revoked;
 * `base` is the document that was there, for the members that are not ours.
 */
export function keystoreText(
  state: KeyringState,
  pruned: ReadonlyMap<string, string>,
  seeds: ReadonlyMap<string, string>,
  base: Keystore | null,
): string {
  const before = new Map(base?.keys.map((key) => [key.id, key]));
  const held = [...state.keys.values()].filter(({ kid }) => !state.revoked.has(kid));
  const document = {
    ...base,
    version: 1,
    keys: held.map((key) => ({
      ...before.get(key.kid),
      id: key.kid,
      seed_b64: seeds.get(key.kid),
      created_at: key.createdAt,
    })),
    active: state.active,
    retired_grace_until: Object.fromEntries(state.graceUntil),
    // JSON leaves members out that are undefined.
    prepared:
      state.prepared === null
        ? undefined
        : { kid: state.prepared.kid, activates_at: state.prepared.activatesAt },
    revoked: state.revoked.size === 0 ? undefined : revokedMembers(state),
    activated: state.activated ?? undefined,
    latest_time: state.latestTime ?? undefined,
    pruned: pruned.size === 0 ? undefined : Object.fromEntries([...pruned].slice(-mostPruned)),
  };
  return `${JSON.stringify(document, null, 2)}\n`;
}

function revokedMembers(state: KeyringState): Record<string, unknown> {
  return Object.fromEntries(
    [...state.revoked].flatMap(([kid, { at, reason }]) => {
      const key = state.keys.get(kid);
      if (key === undefined) return [];
      const member = {
        at,
        ...(reason === null ? {} : { reason }),
        public_key_b64: encodeBase64(key.publicKey),
        created_at: key.createdAt,
      };
      return [[kid, member]];
    }),
  );
}
