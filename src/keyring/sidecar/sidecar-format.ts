import * as z from 'zod';
import { decodeBase64, encodeBase64 } from '../../base/base64.ts';
import { kidOf } from '../../algorithms/kid.ts';
import type { KeyRecord, KeyringState } from '../../vault/key-records.ts';
import type { RecordsOwner } from '../record-store.ts';
import type { Seal } from '../../vault/vault.ts';
import { macOf, type SealedDocument } from '../seal/seal.ts';
import {
  activated,
  duplicateOf,
  grace,
  prepared,
  revoked,
  time,
} from '../../files/document-fields.ts';

/** The sidecar: the keystore document without private parts. */

const objectId = z.string().regex(/^([0-9a-f]{2})+$/, 'must be a CKA_ID in lowercase hex');

const sidecar = z.strictObject({
  version: z.literal(1),
  keyring: z.string(),
  algorithm: z.enum(['ed25519', 'es256']),
  keys: z.array(
    z.strictObject({
      id: z.string(),
      public_key_b64: z.string(),
      created_at: time,
      object_id: objectId,
    }),
  ),
  active: z.string().nullable(),
  prepared: prepared.optional(),
  retired_grace_until: grace,
  revoked: z.record(z.string(), revoked).optional(),
  pending: z
    .array(
      z.strictObject({ step: z.enum(['generate', 'destroy']), object_id: objectId, since: time }),
    )
    .optional(),
  activated: activated.optional(),
  latest_time: time.optional(),
  seal: z.strictObject({ counter: z.int().min(1), mac_b64: z.string() }).optional(),
});

/** A sidecar's state, and what its seal was made over; whether that is right only the token can say. */
export interface ParsedSidecar extends SealedDocument {
  readonly state: KeyringState;
}

/** The version of a sidecar that a newer program wrote, which is no ruin; null where it is none. */
export function newerVersion(bytes: Uint8Array): number | null {
  try {
    const { version } = z
      .looseObject({ version: z.int().min(2), keyring: z.string() })
      .parse(JSON.parse(Buffer.from(bytes).toString('utf8')));
    return version;
  } catch {
    return null;
  }
}

/** Whether it is the keystore of a file keyring: it has private keys, and nothing may be written in its place. */
export function isKeystore(bytes: Uint8Array): boolean {
  try {
    const keys = z.array(z.looseObject({ seed_b64: z.string() })).min(1);
    const document: unknown = JSON.parse(Buffer.from(bytes).toString('utf8'));
    return z.looseObject({ keys }).safeParse(document).success;
  } catch {
    return false;
  }
}

/** Throws a ZodError or an Error with the reason. */
export function parseSidecar(text: string, owner: RecordsOwner): ParsedSidecar {
  const given: unknown = JSON.parse(text);
  const document = sidecar.parse(given);
  // As it was written, not as it was understood: the MAC is over every member that is there.
  const content = Object.fromEntries(
    Object.entries(given as object).filter(([member]) => member !== 'seal'),
  );
  const { seal } = document;
  return {
    state: stateOf(document, owner),
    content,
    seal:
      seal === undefined
        ? null
        : { counter: seal.counter, mac: decodeBase64(seal.mac_b64) ?? new Uint8Array() },
  };
}

function stateOf(document: z.output<typeof sidecar>, owner: RecordsOwner): KeyringState {
  if (document.keyring !== owner.keyring) {
    throw new Error(`it belongs to keyring ${document.keyring}, not ${owner.keyring}`);
  }
  if (document.algorithm !== owner.algorithm) {
    throw new Error(
      `its keys are ${document.algorithm}, the configuration says ${owner.algorithm}`,
    );
  }
  const keys = new Map<string, KeyRecord>();
  for (const { id, public_key_b64, created_at, object_id } of document.keys) {
    const publicKey = decodeBase64(public_key_b64);
    if (publicKey === null || kidOf(publicKey) !== id) {
      throw new Error(`key ${id}: its public key is not the one with this kid`);
    }
    keys.set(id, { kid: id, publicKey, createdAt: created_at, objectId: object_id });
  }
  const state: KeyringState = {
    keys,
    active: document.active,
    prepared:
      document.prepared === undefined
        ? null
        : { kid: document.prepared.kid, activatesAt: document.prepared.activates_at },
    graceUntil: new Map(Object.entries(document.retired_grace_until)),
    revoked: new Map(
      Object.entries(document.revoked ?? {}).map(([kid, { at, reason }]) => [
        kid,
        { at, reason: reason ?? null },
      ]),
    ),
    pending: (document.pending ?? []).map(({ step, object_id, since }) => ({
      step,
      objectId: object_id,
      since,
    })),
    activated: document.activated ?? null,
    latestTime: document.latest_time ?? null,
  };
  refuseContradictions(state, document.keys);
  return state;
}

/** The sidecar's text, sealed with that key and counter; null: without a seal. */
export function sidecarText(state: KeyringState, owner: RecordsOwner, seal: Seal | null): string {
  const content = contentOf(state, owner);
  const document =
    seal === null
      ? content
      : {
          ...content,
          seal: { counter: seal.counter, mac_b64: encodeBase64(macOf(content, seal)) },
        };
  return `${JSON.stringify(document, null, 2)}\n`;
}

function contentOf(state: KeyringState, owner: RecordsOwner): z.input<typeof sidecar> {
  return {
    version: 1,
    keyring: owner.keyring,
    algorithm: owner.algorithm,
    keys: [...state.keys.values()].map((key) => ({
      id: key.kid,
      public_key_b64: encodeBase64(key.publicKey),
      created_at: key.createdAt,
      object_id: key.objectId,
    })),
    active: state.active,
    ...(state.prepared === null
      ? {}
      : { prepared: { kid: state.prepared.kid, activates_at: state.prepared.activatesAt } }),
    retired_grace_until: Object.fromEntries(state.graceUntil),
    ...(state.revoked.size === 0
      ? {}
      : {
          revoked: Object.fromEntries(
            [...state.revoked].map(([kid, { at, reason }]) => [
              kid,
              reason === null ? { at } : { at, reason },
            ]),
          ),
        }),
    ...(state.pending.length === 0
      ? {}
      : {
          pending: state.pending.map(({ step, objectId: object_id, since }) => ({
            step,
            object_id,
            since,
          })),
        }),
    ...(state.activated === null ? {} : { activated: state.activated }),
    ...(state.latestTime === null ? {} : { latest_time: state.latestTime }),
  };
}

/** What the schema cannot say: the records must tell one story. */
function refuseContradictions(
  state: KeyringState,
  keys: readonly { id: string; object_id: string }[],
): void {
  const twice = duplicateOf(keys.map(({ id }) => id));
  if (twice !== null) throw new Error(`two keys have the id ${twice}`);
  const shared = duplicateOf(keys.map(({ object_id }) => object_id));
  if (shared !== null) throw new Error(`two keys have the object id ${shared}`);
  const { active, prepared: waiting, revoked: gone } = state;
  if (active === null ? state.keys.size > 0 : !state.keys.has(active) || gone.has(active)) {
    throw new Error(`active names no key that could sign: ${String(active)}`);
  }
  if (waiting === null) return;
  const { kid } = waiting;
  if (!state.keys.has(kid) || kid === active || gone.has(kid)) {
    throw new Error(`prepared names no key that could be activated: ${kid}`);
  }
}
