import { describe, expect, test } from 'vitest';
import type { CaCert } from '../../src/api/cluster.ts';
import {
  caCertSignedBytes,
  caCertText,
  faultOfCaCert,
  parseCaCert,
} from '../../src/cluster/ca-cert.ts';
import { verdictOn } from '../../src/cluster/ca-verdict.ts';
import { DocumentError } from '../../src/cluster/document.ts';
import { ForeignCa, newKey, verifiesByItsBytes } from '../support/foreign-ca.ts';

const now = Date.UTC(2026, 4, 14, 18);
const times = { issued: '2026-05-14T17:55:00Z', expires: '2026-06-14T17:55:00Z' };
const domains = [
  'prod.example',
  'größe.example',
  '京都.example 🗝',
  'a "quoted" \\ name\twith a tab / and a slash',
  '\u2028\u007f',
];

function bytes(ca: ForeignCa): Buffer {
  return Buffer.from(ca.publicKeyB64, 'base64url');
}

function problem(text: string): string {
  try {
    parseCaCert(text);
  } catch (failure) {
    if (failure instanceof DocumentError) return failure.message;
    throw failure;
  }
  throw new Error('it was read');
}

/** The text of a certificate with some members replaced, added, or (undefined) left out. */
function changed(members: Readonly<Record<string, unknown>>): string {
  const text = new ForeignCa('prod.example').certify(newKey(), times);
  return JSON.stringify({ ...(JSON.parse(text) as object), ...members });
}

describe('a certificate of another program', () => {
  test.each(domains)('for the domain %j verifies, and is written as it was', async (domain) => {
    const ca = new ForeignCa(domain);
    const text = ca.certify(newKey(), times);
    const certificate = parseCaCert(text);
    expect(certificate.cluster_domain).toBe(domain);
    expect(await faultOfCaCert(certificate, bytes(ca), now)).toBeNull();
    expect(caCertText(certificate)).toBe(text);
    expect(verifiesByItsBytes(caCertText(certificate), ca.publicKeyB64)).toBe(true);
  });

  test.each([
    ['2026-05-14T17:55:00.123456789Z', '2026-06-14T17:55:00.000000001Z'],
    ['2026-05-14T17:55:00.5+00:00', '2026-06-14T17:55:00+00:00'],
    ['2026-05-14t17:55:00z', '2026-06-14T23:55:00+06:00'],
  ])('with the times %s and %s keeps them as they were written', async (issued, expires) => {
    const ca = new ForeignCa('prod.example');
    const text = ca.certify(newKey(), { issued, expires });
    const certificate = parseCaCert(text);
    expect(certificate).toMatchObject({ issued_at: issued, expires_at: expires });
    expect(caCertText(certificate)).toBe(text);
    expect(await faultOfCaCert(certificate, bytes(ca), now)).toBeNull();
  });

  test('verifies with its members in any order, with spaces, and with what need not be escaped escaped', async () => {
    const ca = new ForeignCa('größe.example');
    const text = ca.certify(newKey(), times);
    const members = Object.entries(JSON.parse(text) as CaCert);
    const spaced = JSON.stringify(Object.fromEntries(members.reverse()), null, 2);
    const written = ` ${spaced.replace('ö', '\\u00f6').replace('example', '\\u0065xample')}\n`;
    const certificate = parseCaCert(written);
    expect(caCertText(certificate)).toBe(text);
    expect(await faultOfCaCert(certificate, bytes(ca), now)).toBeNull();
  });

  test('keeps base64 as it was spelled, since the signature covers the spelling', () => {
    const padded = Buffer.alloc(32, 0xff).toString('base64');
    const certificate = parseCaCert(changed({ active_pubkey_b64: padded }));
    expect(certificate.active_pubkey_b64).toBe(padded);
    expect(caCertSignedBytes(certificate).toString()).toContain(`"active_pubkey_b64":"${padded}"`);
  });
});

test('what is signed has an empty signature, and no spaces', () => {
  const certificate = parseCaCert(changed({}));
  expect(caCertSignedBytes(certificate).toString('utf8')).toBe(
    caCertText(certificate).replace(/"sig_by_ca":".*"/, '"sig_by_ca":""'),
  );
});

describe('a certificate does not hold', () => {
  const ca = new ForeignCa('prod.example');
  const certificate = parseCaCert(ca.certify(newKey(), times));
  const { active_kid, issued_at } = certificate;

  test.each<[string, Partial<CaCert>]>([
    ['its kid', { active_kid: active_kid === '00000000' ? '00000001' : '00000000' }],
    ['its key', { active_pubkey_b64: new ForeignCa('x').publicKeyB64 }],
    ['its beginning', { issued_at: issued_at.replace('Z', '.0Z') }],
    ['its end', { expires_at: '2027-06-14T17:55:00Z' }],
    ['its domain', { cluster_domain: 'prod.example.' }],
    ['its signature', { sig_by_ca: Buffer.alloc(64).toString('base64url') }],
  ])('where %s was changed', async (_, change) => {
    expect(await faultOfCaCert({ ...certificate, ...change }, bytes(ca), now)).toBe('signature');
  });

  test('by another CA, nor by what is no key', async () => {
    expect(await faultOfCaCert(certificate, bytes(new ForeignCa('prod.example')), now)).toBe(
      'signature',
    );
    expect(await faultOfCaCert(certificate, Buffer.alloc(32), now)).toBe('signature');
    expect(await faultOfCaCert(certificate, Buffer.alloc(31), now)).toBe('signature');
  });

  test('from the moment on at which it expires', async () => {
    const end = Date.UTC(2026, 5, 14, 17, 55);
    expect(await faultOfCaCert(certificate, bytes(ca), end - 1)).toBeNull();
    expect(await faultOfCaCert(certificate, bytes(ca), end)).toBe('expired');
    const later = ca.certify(newKey(), { ...times, expires: '2026-06-14T17:55:00.000000001Z' });
    expect(await faultOfCaCert(parseCaCert(later), bytes(ca), end)).toBeNull();
    expect(await faultOfCaCert(parseCaCert(later), bytes(ca), end + 1)).toBe('expired');
  });
});

test('a verdict says the first rule that is broken, and why', async () => {
  const ca = new ForeignCa('prod.example');
  const text = ca.certify(newKey(), times);
  const expected = { publicKey: bytes(ca), domain: 'prod.example', now };
  expect(await verdictOn(text, expected)).toEqual({ valid: true, certificate: parseCaCert(text) });
  expect((await verdictOn(text, { ...expected, domain: null })).valid).toBe(true);
  const rules = [
    ['form', await verdictOn(text.slice(1), expected)],
    ['signature', await verdictOn(text, { ...expected, publicKey: bytes(new ForeignCa('a')) })],
    ['expired', await verdictOn(text, { ...expected, now: now + 365 * 24 * 3_600_000 })],
    ['domain', await verdictOn(text, { ...expected, domain: 'other.example' })],
  ] as const;
  for (const [rule, verdict] of rules) {
    expect(verdict).toMatchObject({ valid: false, rule, reason: expect.any(String) as string });
  }
});

test.each<[string, string, string]>([
  ['no JSON', 'v=1', 'is not JSON'],
  ['a byte order mark', `\ufeff${changed({})}`, 'is not JSON'],
  ['a list', '[]', 'expected object'],
  ['null', 'null', 'expected object'],
  ['another version', changed({ v: 2 }), 'v: is of a version that is not known here'],
  ['a version in words', changed({ v: '1' }), 'v: is of a version'],
  ['a member that is missing', changed({ issued_at: undefined }), 'issued_at: '],
  ['a member that nobody knows', changed({ note: 'x' }), 'there is no member note'],
  ['a member of the prototype', changed({}).replace('{', '{"__proto__":1,'), '__proto__'],
  ['a member twice', changed({}).replace('{', '{"v":1,'), 'has a member twice'],
  ['a member twice, once escaped', changed({}).replace('{', '{"\\u0076":1,'), 'a member twice'],
  ['a list of lists', `${'['.repeat(9)}${']'.repeat(9)}`, 'is nested too deep'],
  ['a kid in capitals', changed({ active_kid: 'ABCDEF01' }), 'active_kid: must be 8 lowercase'],
  ['a short kid', changed({ active_kid: 'abcdef0' }), 'active_kid: must be 8 lowercase'],
  ['a short key', changed({ active_pubkey_b64: 'AAAA' }), 'must be base64 of 32 bytes'],
  [
    'a key with bits to spare',
    changed({ active_pubkey_b64: `${'A'.repeat(42)}B` }),
    'active_pubkey_b64: must be base64 of 32 bytes',
  ],
  ['a short signature', changed({ sig_by_ca: 'AAAA' }), 'sig_by_ca: must be base64 of 64 bytes'],
  ['no signature', changed({ sig_by_ca: '' }), 'sig_by_ca: must be base64 of 64 bytes'],
  ['a time without a zone', changed({ issued_at: '2026-05-14T17:55:00' }), 'issued_at: must be'],
  ['a day that is none', changed({ expires_at: '2026-02-30T00:00:00Z' }), 'expires_at: must be'],
  ['ten digits', changed({ issued_at: '2026-05-14T17:55:00.1234567890Z' }), 'issued_at: must be'],
  ['no domain', changed({ cluster_domain: '' }), 'cluster_domain: must not be empty'],
  [
    'half a surrogate pair',
    changed({ cluster_domain: '\ud800' }),
    'cluster_domain: has half a surrogate pair',
  ],
])('%s is no certificate', (_, text, why) => {
  expect(problem(text)).toMatch(/^the certificate/);
  expect(problem(text)).toContain(why);
});
