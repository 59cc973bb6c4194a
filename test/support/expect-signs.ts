import { randomBytes } from 'node:crypto';
import { expect } from 'vitest';
import type { Vault, VaultKey } from '../../src/vault/vault.ts';

/** The key signs the message, and its public key verifies that; both algorithms have signatures of 64 bytes. */
export async function expectSigns(
  vault: Vault,
  key: VaultKey,
  message: Uint8Array = randomBytes(100),
): Promise<void> {
  const signature = await vault.sign(key, message);
  expect(signature).toHaveLength(64);
  expect(vault.algorithm.verify(message, signature, key.publicKey)).toBe(true);
}
