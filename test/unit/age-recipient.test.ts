import { generateKeyPairSync } from 'node:crypto';
import {
  generateHybridIdentity,
  generateX25519Identity,
  identityToRecipient,
} from 'age-encryption';
import { describe, expect, test } from 'vitest';
import { readPublicKey, recipientOf } from '../../src/formats/age/age-recipient.ts';
import { encodeBech32 } from '../../src/formats/age/bech32.ts';

/** A public key of a new pair, 32 bytes. */
function publicKey(): Buffer {
  const { publicKey } = generateKeyPairSync('x25519');
  return Buffer.from(publicKey.export({ format: 'jwk' }).x ?? '', 'base64url');
}

function faultOf(text: string): string {
  const read = readPublicKey(text);
  return 'fault' in read ? read.fault : 'none';
}

describe('a public key is taken', () => {
  test('as base64 of every kind', () => {
    const key = publicKey();
    for (const text of [key.toString('base64url'), key.toString('base64')]) {
      expect(readPublicKey(text)).toEqual({ key });
    }
  });

  test('as the recipient that it is to age', async () => {
    const recipient = await identityToRecipient(await generateX25519Identity());
    const read = readPublicKey(recipient);
    expect(read).toHaveProperty('key');
    if ('key' in read) expect(recipientOf(read.key)).toBe(recipient);
  });

  test('where its base64 begins as a recipient does', () => {
    // Any bytes are a point; a base64 text is 43 characters long, a recipient 62.
    const text = `age1${Buffer.alloc(32, 9).toString('base64url').slice(4)}`;
    expect(readPublicKey(text)).toEqual({ key: Buffer.from(text, 'base64url') });
  });
});

test('the largest number that is a key is taken', () => {
  const key = Buffer.from(`eb${'ff'.repeat(30)}7f`, 'hex'); // 2^255 - 21; the next one is of low order
  expect(readPublicKey(key.toString('base64url'))).toEqual({ key });
});

describe('a key is refused that', () => {
  const good = encodeBech32('age', Buffer.alloc(32, 9));
  test.each([
    ['has 31 bytes', Buffer.alloc(31, 9).toString('base64url'), /has 31 bytes/],
    ['has 33 bytes', Buffer.alloc(33, 9).toString('base64url'), /has 33 bytes/],
    ['is a recipient of 31 bytes', encodeBech32('age', Buffer.alloc(31, 9)), /has 31 bytes/],
    ['is a recipient of 33 bytes', encodeBech32('age', Buffer.alloc(33, 9)), /has 33 bytes/],
    ['is empty', '', /has 0 bytes/],
    ['is no text of a key', 'not a key!', /must be an age recipient/],
    ['is in upper case', good.toUpperCase(), /mistyped age recipient/],
    ['is in both cases', `AGE1${good.slice(4)}`, /mistyped age recipient/],
    ['is mistyped', `${good.slice(0, -1)}${good.endsWith('q') ? 'p' : 'q'}`, /mistyped age/],
    ['is cut short', good.slice(0, -3), /mistyped age recipient/],
    ['belongs to a plugin', encodeBech32('age1yubikey', Buffer.alloc(33, 2)), /plugin yubikey/],
    [
      'has another prefix',
      encodeBech32('agf', Buffer.alloc(32, 9)),
      /must be an age recipient|has \d+ bytes/,
    ],
  ])('%s', (_, text, why) => {
    expect(faultOf(text)).toMatch(why);
  });

  test('is hybrid', async () => {
    const recipient = await identityToRecipient(await generateHybridIdentity());
    expect(faultOf(recipient)).toMatch(/hybrid \(post-quantum\) recipient, age1pq1/);
  });

  test('is a private key, which is not repeated', async () => {
    const identity = await generateX25519Identity();
    for (const text of [identity, identity.toLowerCase()]) {
      expect(faultOf(text)).toMatch(/is a private key .*age-keygen -y/);
      expect(faultOf(text)).not.toContain(identity.slice(20, 40));
    }
  });

  // The points of order 1, 2, 4 and 8 (RFC 7748, section 6.1).
  test.each([
    '0000000000000000000000000000000000000000000000000000000000000000',
    '0100000000000000000000000000000000000000000000000000000000000000',
    'e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800',
    '5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157',
    'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  ])('is the point of low order %s', (hex) => {
    const key = Buffer.from(hex, 'hex');
    expect(faultOf(key.toString('base64url'))).toMatch(/low order/);
    expect(faultOf(encodeBech32('age', key))).toMatch(/low order/);
  });

  test.each([
    ['2^255 - 19, which is 0', `ed${'ff'.repeat(30)}7f`],
    ['2^255 - 18, which is 1', `ee${'ff'.repeat(30)}7f`],
    ['2^255 - 1', `${'ff'.repeat(31)}7f`],
    ['the highest bit, which X25519 does not look at', `${'09'.repeat(31)}89`],
  ])('is not written as X25519 writes it: %s', (_, hex) => {
    expect(faultOf(Buffer.from(hex, 'hex').toString('base64url'))).toMatch(/not written as X25519/);
  });
});
