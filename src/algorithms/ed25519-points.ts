/** Encoded points of edwards25519 (RFC 8032, 5.1.2): 32 bytes, y in little-endian order, the sign of x in the top bit. */

const pointLength = 32;
const signOfX = 0x80;

/**
 * y of the eight points of small order, hex. Each with either sign of x: where x is 0, a set sign is the negative
 * zero that RFC 8032, 5.1.3, step 4 refuses.
 */
const smallOrderY: ReadonlySet<string> = new Set([
  '0100000000000000000000000000000000000000000000000000000000000000', // order 1
  'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f', // order 2
  '0000000000000000000000000000000000000000000000000000000000000000', // order 4
  '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05', // order 8
  'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a', // order 8
]);

/**
 * What strict verification (ed25519-dalek's `verify_strict`) asks of an encoding beyond being a point, which it does
 * not look at: y < p, no negative zero, none of the points of small order.
 */
export function isStrictEncoding(encoded: Uint8Array): boolean {
  return encoded.length === pointLength && isReduced(encoded) && !isOfSmallOrder(encoded);
}

/** y < p = 2^255 - 19: of the numbers below 2^255 only those from `ed ff … ff 7f` on are not. */
function isReduced(encoded: Uint8Array): boolean {
  if (((encoded[31] ?? 0) | signOfX) !== 0xff) return true;
  for (let at = 30; at > 0; at--) if (encoded[at] !== 0xff) return true;
  return (encoded[0] ?? 0) < 0xed;
}

function isOfSmallOrder(encoded: Uint8Array): boolean {
  const y = Buffer.from(encoded);
  y.writeUInt8(y.readUInt8(31) & ~signOfX, 31);
  return smallOrderY.has(y.toString('hex'));
}
