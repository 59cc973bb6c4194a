import { AgentError } from '../base/errors.ts';
import { reservedKeyring } from './reserved-keyring.ts';
import { journaled, type ChangeJournal } from '../keyring/change-journal.ts';
import { kidOf } from '../algorithms/kid.ts';
import { formatTime } from '../base/rfc3339.ts';
import type { Vault, VaultKey, VaultObject } from '../vault/vault.ts';
import type { World } from '../base/world.ts';
import { CaKey } from './ca-key.ts';
import type { CaIdentity, CaRecord, CaRecords } from './ca-records.ts';

export interface CaKeyParts {
  readonly vault: Vault;
  readonly records: CaRecords;
  /** The file or the token, for messages. */
  readonly where: string;
  /** When a key that is there was made, milliseconds since the epoch; null where nothing says it. */
  readonly madeAt: (object: VaultObject) => number | null;
  readonly world: Pick<World, 'now' | 'randomBytes' | 'log'>;
  /** Absent: what is made or taken over is not recorded. */
  readonly journal?: ChangeJournal | undefined;
}

/**
 * Opens the cluster CA: the key that is recorded; else the one that is there already; else, where there never was
 * one, a new one, which is announced, made, proved and recorded in this order. Killed anywhere, the next call goes
 * on from there: only what was announced is ever destroyed.
 *
 * Rejects with `backend_unavailable`, naming file or token and the remedy, where the recorded key is lost or is
 * another one, and where several keys could be it; with `not_supported` where its attributes are not right. Never a
 * new key in place of one that was lost.
 */
export async function openCaKey(parts: CaKeyParts): Promise<CaKey> {
  const { vault, records, where } = parts;
  const record = records.read();
  const objects = await vault.list();
  const keys = objects.filter((object) => object.hasPrivateKey);
  if (keys.length > 1) throw severalKeys(where, keys, record);
  if (record !== null && record.key !== null) {
    return proved(parts, record.key, recordedKey(parts, { ...record, key: record.key }, keys[0]));
  }
  const announced = record?.backend === vault.name ? record.objectId : null;
  const [key] = keys;
  if (key !== undefined && (key.publicKey !== null || key.objectId !== announced)) {
    const usable = await adopted(parts, key, announced);
    if (usable !== null) return usable;
  }
  const strangers = objects.filter(({ objectId }) => objectId !== announced);
  if (strangers.length > 0) throw halfKey(where, strangers);
  return noted(parts, null, () => made(parts, announced));
}

/** In the audit, as the first key of a keyring that has no other. */
function noted(
  { journal }: CaKeyParts,
  reason: string | null,
  make: () => Promise<CaKey>,
): Promise<CaKey> {
  const change = { keyring: reservedKeyring, method: 'first_key' } as const;
  return journaled(journal, change, make, ({ kid }) => ({ kid, reason }));
}

function recordedKey(
  { where, vault }: CaKeyParts,
  { backend, key }: CaRecord & { readonly key: CaIdentity },
  found: VaultObject | undefined,
): VaultKey {
  const { kid, publicKey, createdAt } = key;
  if (found === undefined && backend !== vault.name) {
    throw new AgentError(
      'backend_unavailable',
      `the key of the cluster CA, ${kid} of ${createdAt}, is not in ${where}: it was recorded with ca_backend = ` +
        `"${backend}", and now that is "${vault.name}". Set it back, or put that key there: no other one is made, ` +
        'since nobody would trust it',
    );
  }
  if (found === undefined) {
    throw new AgentError(
      'backend_unavailable',
      `the key of the cluster CA, ${kid} of ${createdAt}, is lost: it is not in ${where}. Put it back from a copy. ` +
        `No other one is made, since nobody would trust it; where it is lost for good: agentctl ca forget ${kid}`,
    );
  }
  if (found.publicKey !== null && Buffer.compare(found.publicKey, publicKey) !== 0) {
    throw new AgentError(
      'backend_unavailable',
      `the cluster CA is key ${kid} of ${createdAt}, and ${where} has another key, ${kidOf(found.publicKey)}: put ` +
        'the right one back',
    );
  }
  return { objectId: found.objectId, publicKey };
}

/** What is there and not recorded. null: it was announced, and is nothing that can be used. */
async function adopted(
  parts: CaKeyParts,
  found: VaultObject,
  announced: string | null,
): Promise<CaKey | null> {
  const { records, vault, where, world } = parts;
  const { objectId, publicKey } = found;
  if (publicKey === null) throw halfKey(where, [found]);
  const createdAt = formatTime(parts.madeAt(found) ?? world.now());
  const identity = { kid: kidOf(publicKey), publicKey, createdAt };
  let key: CaKey;
  try {
    key = await proved(parts, identity, { objectId, publicKey });
  } catch (failure) {
    const isOurs = objectId === announced;
    if (isOurs && failure instanceof AgentError && failure.kind === 'not_supported') return null;
    throw failure;
  }
  return noted(parts, 'the key was there', async () => {
    const id = vault.reserve === null ? null : objectId;
    await records.write({ backend: vault.name, objectId: id, key: identity });
    world.log.warn({ ca_kid: identity.kid, where }, 'a key that was there is the cluster CA now');
    return key;
  });
}

async function made(parts: CaKeyParts, announced: string | null): Promise<CaKey> {
  const { vault, records, where, world } = parts;
  const objectId = announced ?? vault.reserve?.() ?? null;
  if (announced === null) await records.write({ backend: vault.name, objectId, key: null });
  // Also where nothing was listed: there may be an object of a class that no list has.
  if (announced !== null) await vault.destroy(announced);
  const key = await vault.generate(objectId);
  const createdAt = formatTime(world.now());
  const identity = { kid: kidOf(key.publicKey), publicKey: key.publicKey, createdAt };
  const opened = await proved(parts, identity, key);
  await records.write({ backend: vault.name, objectId, key: identity });
  world.log.warn({ ca_kid: identity.kid, where }, 'a new cluster CA was made');
  return opened;
}

/** Shows with a random message that the token lets it sign, and that it is the private half of that public key. */
async function proved(
  { vault, world }: CaKeyParts,
  identity: CaIdentity,
  { objectId }: VaultKey,
): Promise<CaKey> {
  const key = new CaKey(identity, vault, objectId, world);
  await key.sign(world.randomBytes(32));
  return key;
}

function severalKeys(
  where: string,
  keys: readonly VaultObject[],
  record: CaRecord | null,
): AgentError {
  const named = keys.map(({ objectId, publicKey }) => {
    return publicKey === null ? objectId : `${objectId} (kid ${kidOf(publicKey)})`;
  });
  const wanted =
    record?.key === undefined || record.key === null ? '' : `, which is ${record.key.kid}`;
  return new AgentError(
    'backend_unavailable',
    `${where} has ${keys.length} keys that could be the cluster CA, object ids ${named.join(', ')}: leave the CA's ` +
      `own there${wanted}, and give the others another label`,
  );
}

function halfKey(where: string, halves: readonly VaultObject[]): AgentError {
  const ids = halves.map(({ objectId }) => objectId).join(', ');
  return new AgentError(
    'backend_unavailable',
    `${where} has half a key under the label of the cluster CA, object ids ${ids}: put the other half back, or ` +
      'remove what is there',
  );
}
