import type { KeyObject } from 'node:crypto';
import { decodeBase64 } from '../../base/base64.ts';
import { kidOf } from '../../algorithms/kid.ts';
import { parseKeystore, type Keystore } from './keystore-format.ts';
import { privateKeyOf, publicHalfOf } from './seed.ts';

/** A keystore whose every key, the revoked ones too, is the one that its id says. Both maps are by kid, of the keys that have a seed. */
export interface ReadKeystore {
  readonly document: Keystore;
  readonly privateKeys: ReadonlyMap<string, KeyObject>;
  readonly publicKeys: ReadonlyMap<string, Uint8Array>;
}

/** `bytes` stay the caller's. Throws a ZodError or an Error with the reason; no seed stands in it. */
export function readKeystore(bytes: Uint8Array): ReadKeystore {
  const document = parseKeystore(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  const privateKeys = new Map<string, KeyObject>();
  const publicKeys = new Map<string, Uint8Array>();
  for (const { id, seed_b64 } of document.keys) {
    const seed = decodeBase64(seed_b64) ?? Buffer.alloc(0);
    const privateKey = privateKeyOf(seed);
    const publicKey = publicHalfOf(privateKey);
    if (kidOf(publicKey) !== id) {
      throw new Error(`the seed of key ${id} is the seed of key ${kidOf(publicKey)}`);
    }
    publicKeys.set(id, publicKey);
    privateKeys.set(id, privateKey);
    seed.fill(0);
  }
  for (const [kid, { public_key_b64 }] of Object.entries(document.revoked ?? {})) {
    const publicKey = decodeBase64(public_key_b64);
    if (publicKey === null || kidOf(publicKey) !== kid) {
      throw new Error(`the public key of the revoked key ${kid} is another one`);
    }
  }
  return { document, privateKeys, publicKeys };
}
