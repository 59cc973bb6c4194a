import { expect, test } from 'vitest';
import { DocumentError } from '../../src/cluster/document.ts';
import { parseTrustBundle, trustBundleText } from '../../src/cluster/trust-bundle.ts';
import { ForeignCa } from '../support/foreign-ca.ts';

const generated = '2026-05-14T17:55:00.123456789+00:00';

function changed(members: Readonly<Record<string, unknown>>): string {
  const text = new ForeignCa('prod.example').bundle(generated);
  return JSON.stringify({ ...(JSON.parse(text) as object), ...members });
}

test.each(['prod.example', 'größe 京都 🗝', 'a "quoted" \\ name\t/'])(
  'the bundle of another program, for %j, is written as it was',
  (domain) => {
    const ca = new ForeignCa(domain);
    const text = ca.bundle(generated);
    const bundle = parseTrustBundle(text);
    expect(bundle).toEqual({
      v: 1,
      cluster_domain: domain,
      ca_public_key_b64: ca.publicKeyB64,
      ca_kid: ca.kid,
      generated_at: generated,
    });
    expect(trustBundleText(bundle)).toBe(text);
  },
);

test('the order of the members, spaces and needless escapes do not matter', () => {
  const text = new ForeignCa('prod.example').bundle(generated);
  const members = Object.entries(JSON.parse(text) as object).reverse();
  const spaced = JSON.stringify(Object.fromEntries(members), null, 2).replace('prod', '\\u0070rod');
  expect(trustBundleText(parseTrustBundle(spaced))).toBe(text);
});

test.each<[string, string, string]>([
  ['no JSON', '{', 'is not JSON'],
  ['another version', changed({ v: 0 }), 'v: is of a version that is not known here'],
  ['no domain', changed({ cluster_domain: '' }), 'cluster_domain: must not be empty'],
  ['a short key', changed({ ca_public_key_b64: 'AAAA' }), 'must be base64 of 32 bytes'],
  ['no time', changed({ generated_at: 'yesterday' }), 'generated_at: must be an RFC 3339 time'],
  ['another kid', changed({ ca_kid: '00000000' }), 'ca_kid 00000000 is not that of its key'],
  ['a member more', changed({ comment: '' }), 'there is no member comment'],
  ['a member less', changed({ generated_at: undefined }), 'generated_at: '],
  ['a member twice', changed({}).replace('{', '{"v":1,'), 'has a member twice'],
])('%s is no bundle', (_, text, why) => {
  const read = (): unknown => parseTrustBundle(text);
  expect(read).toThrow(DocumentError);
  expect(read).toThrow(why);
});
