/**
 * The parts of X.509 that are signed: TBSCertificate and TBSCertList (RFC 5280, sections 4.1 and 5.1), the request for a
 * certificate (RFC 2986, section 4.1) and the answer about one (RFC 6960, section 4.2.1). Told by the types of what they
 * begin with. Readers take BER too, and verify the bytes as they came: so every spelling of a length and of a type counts.
 */

/** Types as `typeOf` gives them. */
const INTEGER = 0x02;
const UTC_TIME = 0x17;
const GENERALIZED_TIME = 0x18;
const SEQUENCE = 0x10;
const CONTEXT_0 = 0x80;
const CONTEXT_1 = 0x81;
const CONTEXT_2 = 0x82;

const time = [UTC_TIME, GENERALIZED_TIME];

/** Types one after the other, each one of several. */
const beginnings: readonly (readonly (readonly number[])[])[] = [
  // version, serial number, algorithm, issuer, validity, subject, key
  [[CONTEXT_0], [INTEGER], [SEQUENCE], [SEQUENCE], [SEQUENCE], [SEQUENCE], [SEQUENCE]],
  // of version 1, which is left out: serial number, algorithm, issuer
  // of a list: version, algorithm, issuer; its version may be left out, and this update follows
  // of a request: version, subject, key; OpenSSL takes one without attributes
  [[INTEGER], [SEQUENCE], [SEQUENCE]],
  [[SEQUENCE], [SEQUENCE], time],
  // version, responder, produced at, responses
  [[CONTEXT_0], [CONTEXT_1, CONTEXT_2], [GENERALIZED_TIME], [SEQUENCE]],
  [[CONTEXT_1, CONTEXT_2], [GENERALIZED_TIME], [SEQUENCE]],
];

const mostTypes = Math.max(...beginnings.map(({ length }) => length));
/** Values within values, of a length that only their end shows. */
const mostDepth = 32;
/** Values of that kind that are looked through; what has more counts as X.509, so that nobody is kept busy. */
const mostValues = 4096;

export function isX509ToSign(message: Buffer): boolean {
  if (message.length === 0 || typeOf(message, 0) !== SEQUENCE) return false;
  const content = contentOf(message, 0);
  if (content === null) return false;
  const types: number[] = [];
  const budget = { left: mostValues };
  let at = content.from;
  while (types.length < mostTypes && at < message.length) {
    const next = endOf(message, at, 0, budget);
    if (budget.left === 0) return true;
    if (next === null) break;
    types.push(typeOf(message, at));
    at = next;
  }
  return beginnings.some((beginning) =>
    beginning.every((allowed, index) => allowed.includes(types[index] ?? -1)),
  );
}

/** Where the content of a value begins, and how long it is; null: only its end shows that. */
function contentOf(
  bytes: Buffer,
  at: number,
): { readonly from: number; readonly length: number | null } | null {
  const lengthAt = behindType(bytes, at);
  const first = bytes[lengthAt];
  if (first === undefined) return null;
  if (first < 0x80) return { from: lengthAt + 1, length: first };
  if (first === 0x80) return { from: lengthAt + 1, length: null };
  const from = lengthAt + 1 + (first & 0x7f);
  if (from > bytes.length) return null;
  let length = 0;
  for (const octet of bytes.subarray(lengthAt + 1, from)) {
    length = length * 256 + octet;
    if (length > bytes.length) return null;
  }
  return { from, length };
}

/**
 * Class (the upper two bits) and number; 31 for every number above 30. Whether it says that it is made of others is left
 * out: strings and times may be. A number below 31 may be spelled as those above it are.
 */
function typeOf(bytes: Buffer, at: number): number {
  const first = bytes[at] ?? 0;
  let number = first & 0x1f;
  if (number === 0x1f) {
    number = 0;
    for (const octet of bytes.subarray(at + 1, behindType(bytes, at))) {
      number = Math.min(number * 128 + (octet & 0x7f), 0x1f);
    }
  }
  return (first & 0xc0) | number;
}

/** Types above 30 take more than one byte. */
function behindType(bytes: Buffer, at: number): number {
  if (((bytes[at] ?? 0) & 0x1f) !== 0x1f) return at + 1;
  let next = at + 1;
  while (((bytes[next] ?? 0) & 0x80) !== 0) next += 1;
  return next + 1;
}

/** Behind a value; null where it is cut off, or nested deeper than any of these. */
function endOf(bytes: Buffer, at: number, depth: number, budget: { left: number }): number | null {
  const content = contentOf(bytes, at);
  if (content === null || depth > mostDepth) return null;
  const { from, length } = content;
  if (length !== null) return from + length <= bytes.length ? from + length : null;
  let next = from;
  while (bytes[next] !== 0 || bytes[next + 1] !== 0) {
    budget.left -= 1;
    const end = budget.left === 0 ? null : endOf(bytes, next, depth + 1, budget);
    if (end === null) return null;
    next = end;
  }
  return next + 2;
}
