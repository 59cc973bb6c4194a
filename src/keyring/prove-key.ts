import { AgentError } from '../base/errors.ts';
import type { KeyRecord } from '../vault/key-records.ts';
import type { KeyringParts } from './parts.ts';

/** Signs a random message with the key and verifies it against its record. Throws where either fails. */
export async function proveKey(
  { name, vault, world }: Pick<KeyringParts, 'name' | 'vault' | 'world'>,
  key: KeyRecord,
): Promise<void> {
  const message = world.randomBytes(32);
  const signature = await vault.sign(key, message);
  if (vault.algorithm.verify(message, signature, key.publicKey)) return;
  throw new AgentError(
    'backend_unavailable',
    `keyring ${name}: a signature of key ${key.kid} does not verify against its public key`,
  );
}
