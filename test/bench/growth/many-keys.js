// Records of many keys, as years of rotations leave them, added to those that an agent has made itself.
import { createHash, generateKeyPairSync, randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';

const madeAt = '2025-01-01T00:00:00Z';
const revokedAt = '2025-06-01T00:00:00Z';
/** Later than any run: a key whose grace has ended is pruned. */
const graceUntil = '2999-01-01T00:00:00Z';

/** A token keyring's sidecar: `count` revoked keys, whose records stay. */
export function addRevokedRecords(path, count) {
  const document = JSON.parse(readFileSync(path, 'utf8'));
  const keys = newKeys(count, document.keys);
  document.keys.push(
    ...keys.map(({ kid, publicKey }) => ({
      id: kid,
      public_key_b64: publicKey,
      created_at: madeAt,
      object_id: randomBytes(16).toString('hex'),
    })),
  );
  document.revoked = {
    ...document.revoked,
    ...Object.fromEntries(keys.map(({ kid }) => [kid, { at: revokedAt, reason: 'bench' }])),
  };
  write(path, document);
}

/** A keystore file: `count` keys in grace, each with its seed. */
export function addRetiredKeys(path, count) {
  const document = JSON.parse(readFileSync(path, 'utf8'));
  const keys = newKeys(count, document.keys);
  document.keys.push(
    ...keys.map(({ kid, seed }) => ({ id: kid, seed_b64: seed, created_at: madeAt })),
  );
  document.retired_grace_until = {
    ...document.retired_grace_until,
    ...Object.fromEntries(keys.map(({ kid }) => [kid, graceUntil])),
  };
  write(path, document);
}

function newKeys(count, present) {
  const taken = new Set(present.map(({ id }) => id));
  const keys = [];
  while (keys.length < count) {
    const { publicKey, seed } = newPair();
    const kid = createHash('sha256').update(publicKey).digest('hex').slice(0, 8);
    if (taken.has(kid)) continue;
    taken.add(kid);
    keys.push({
      kid,
      publicKey: publicKey.toString('base64url'),
      seed: seed.toString('base64url'),
    });
  }
  return keys;
}

/**
 * Encoded where it is made, the raw bytes last in both forms: exporting a KeyObject as JWK may wait for itself
 * forever where the garbage collector takes that moment to remove the job that made the pair (Node.js 20).
 */
function newPair() {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519', {
    publicKeyEncoding: { format: 'der', type: 'spki' },
    privateKeyEncoding: { format: 'der', type: 'pkcs8' },
  });
  return { publicKey: publicKey.subarray(-32), seed: privateKey.subarray(-32) };
}

function write(path, document) {
  writeFileSync(path, `${JSON.stringify(document, null, 2)}\n`);
}
