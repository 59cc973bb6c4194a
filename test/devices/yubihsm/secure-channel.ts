import { createCipheriv, createDecipheriv } from 'node:crypto';
import { DeviceError } from './protocol.ts';

/** The arithmetic of GlobalPlatform's SCP03 with AES-128, which a YubiHSM 2's sessions use. */

function encryptBlock(key: Buffer, block: Buffer): Buffer {
  return createCipheriv('aes-128-ecb', key, null).setAutoPadding(false).update(block);
}

/** The subkey of RFC 4493 2.3. */
function doubled(block: Buffer): Buffer {
  const shifted = Buffer.alloc(16);
  let carry = 0;
  for (let at = 15; at >= 0; at -= 1) {
    const byte = block.readUInt8(at);
    shifted[at] = ((byte << 1) | carry) & 0xff;
    carry = byte >> 7;
  }
  if (carry === 1) shifted.writeUInt8(shifted.readUInt8(15) ^ 0x87, 15);
  return shifted;
}

function xor(a: Buffer, b: Buffer): Buffer {
  return Buffer.from(a.map((byte, at) => byte ^ (b[at] ?? 0)));
}

/** AES-CMAC (RFC 4493), 16 bytes. */
export function cmac(key: Buffer, message: Buffer): Buffer {
  const first = doubled(encryptBlock(key, Buffer.alloc(16)));
  const blocks = Math.max(1, Math.ceil(message.length / 16));
  const tail = message.subarray((blocks - 1) * 16);
  const isWhole = tail.length === 16;
  const padded = Buffer.concat([tail, Buffer.from(isWhole ? [] : [0x80]), Buffer.alloc(16)]);
  const last = xor(padded.subarray(0, 16), isWhole ? first : doubled(first));
  let state: Buffer = Buffer.alloc(16);
  for (let at = 0; at < blocks; at += 1) {
    const block = at === blocks - 1 ? last : message.subarray(at * 16, at * 16 + 16);
    state = encryptBlock(key, xor(state, block));
  }
  return state;
}

/** Derivation constants of SCP03, 4.1.5. */
export const derivation = {
  cardCryptogram: 0x00,
  hostCryptogram: 0x01,
  encryption: 0x04,
  mac: 0x06,
  responseMac: 0x07,
} as const;

export function derive(
  key: Buffer,
  what: keyof typeof derivation,
  context: Buffer,
  bits: 64 | 128,
): Buffer {
  const label = Buffer.alloc(16);
  label[11] = derivation[what];
  label.writeUInt16BE(bits, 13);
  label[15] = 1;
  return cmac(key, Buffer.concat([label, context])).subarray(0, bits / 8);
}

/** The initial vector for the `counter`th message of a session. */
export function vectorOf(key: Buffer, counter: bigint): Buffer {
  const block = Buffer.alloc(16);
  block.writeBigUInt64BE(counter, 8);
  return encryptBlock(key, block);
}

export function encrypt(key: Buffer, vector: Buffer, plain: Buffer): Buffer {
  const padding = Buffer.alloc(16 - (plain.length % 16));
  padding[0] = 0x80;
  const cipher = createCipheriv('aes-128-cbc', key, vector).setAutoPadding(false);
  return cipher.update(Buffer.concat([plain, padding]));
}

export function decrypt(key: Buffer, vector: Buffer, secret: Buffer): Buffer {
  if (secret.length === 0 || secret.length % 16 !== 0) throw new DeviceError('wrongLength');
  const plain = createDecipheriv('aes-128-cbc', key, vector).setAutoPadding(false).update(secret);
  const end = plain.lastIndexOf(0x80);
  if (end < 0 || plain.subarray(end + 1).some((byte) => byte !== 0)) {
    throw new DeviceError('invalidData');
  }
  return plain.subarray(0, end);
}
