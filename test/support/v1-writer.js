// Another program of the cluster: it knows keystore version 1 and no other members, takes no lock, and rotates `ROUNDS`
// times: `FILE ROUNDS`. Prints the kid of each key that it made, a line each, once it is in the file.
import { createHash, createPrivateKey, createPublicKey, randomBytes, randomInt } from 'node:crypto';
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

const [file, rounds] = process.argv.slice(2);
const pkcs8 = Buffer.from('302e020100300506032b657004220420', 'hex');

function kidOf(seed) {
  const key = createPrivateKey({ key: Buffer.concat([pkcs8, seed]), format: 'der', type: 'pkcs8' });
  const raw = createPublicKey(key).export({ format: 'der', type: 'spki' }).subarray(-32);
  return createHash('sha256').update(raw).digest('hex').slice(0, 8);
}

for (let round = 0; round < Number(rounds); round += 1) {
  const { version, keys, active, retired_grace_until } = JSON.parse(readFileSync(file, 'utf8'));
  const known = keys.map(({ id, seed_b64, created_at }) => ({ id, seed_b64, created_at }));
  const seed = randomBytes(32);
  const id = kidOf(seed);
  const now = Date.now();
  const store = {
    version,
    keys: [
      ...known,
      { id, seed_b64: seed.toString('base64url'), created_at: new Date(now).toISOString() },
    ],
    active: id,
    retired_grace_until: {
      ...retired_grace_until,
      [active]: new Date(now + 3_600_000).toISOString(),
    },
  };
  // Others may write between its look and its rename.
  await sleep(randomInt(8));
  writeFileSync(`${file}.tmp`, JSON.stringify(store), { mode: 0o600 });
  renameSync(`${file}.tmp`, file);
  process.stdout.write(`${id}\n`);
  await sleep(randomInt(8));
}
