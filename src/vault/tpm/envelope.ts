import { createCipheriv, createDecipheriv, hkdfSync } from 'node:crypto';

/** What is kept under a key of the keyring: AES-256-GCM (SP 800-38D), `nonce | ciphertext | tag`. */

export const envelopeNonceLength = 12;
const tagLength = 16;

/** What the keys under a keyring's key are for: HKDF-SHA256 (RFC 5869) with this as `info`. */
export type KeyUse = 'seeds' | 'records seal' | 'counter' | 'key authorization' | 'check';

/** 32 bytes, the caller's to wipe. */
export function keyFor(keyEncryptionKey: Uint8Array, use: KeyUse): Buffer {
  const info = `signing-agent tpm 1 ${use}`;
  return Buffer.from(hkdfSync('sha256', keyEncryptionKey, Buffer.alloc(0), info, 32));
}

/** `nonce`: `envelopeNonceLength` random bytes. */
export function sealEnvelope(
  key: Uint8Array,
  nonce: Uint8Array,
  associated: Uint8Array,
  plaintext: Uint8Array,
): Buffer {
  const cipher = createCipheriv('aes-256-gcm', key, nonce, { authTagLength: tagLength });
  cipher.setAAD(associated);
  const sealed = cipher.update(plaintext);
  return Buffer.concat([nonce, sealed, cipher.final(), cipher.getAuthTag()]);
}

/** The caller's to wipe; null where it was sealed by another key, for something else, or was altered. */
export function openEnvelope(
  key: Uint8Array,
  associated: Uint8Array,
  envelope: Uint8Array,
): Buffer | null {
  if (envelope.length < envelopeNonceLength + tagLength) return null;
  const nonce = envelope.subarray(0, envelopeNonceLength);
  const decipher = createDecipheriv('aes-256-gcm', key, nonce, { authTagLength: tagLength });
  decipher.setAAD(associated);
  decipher.setAuthTag(envelope.subarray(envelope.length - tagLength));
  const opened = decipher.update(envelope.subarray(envelopeNonceLength, -tagLength));
  try {
    decipher.final();
    return opened;
  } catch {
    opened.fill(0);
    return null;
  }
}
