import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { allowance } from '../../src/formats/ssh/allowed-signers.ts';
import { matchesPatternList } from '../../src/formats/ssh/patterns.ts';
import { encodePublicKey, publicKeyLine } from '../../src/formats/ssh/public-key.ts';

const bytes = Buffer.alloc(32, 7);
const key = publicKeyLine('ed25519', bytes);
const signer = {
  identity: 'ann@example.org',
  namespace: 'file',
  publicKey: encodePublicKey('ed25519', bytes),
};
const at = (time: string): number => Date.parse(time);
const now = at('2026-05-14T18:20:00Z');
/** The line that allows it, or why none does. */
function ask(text: string | Buffer, changed: Partial<typeof signer> = {}, when = now): unknown {
  const found = allowance(Buffer.from(text as string), { ...signer, ...changed }, when);
  return 'line' in found ? found.line : found.reason;
}

describe('times in allowed signers', () => {
  const zone = process.env['TZ'];
  afterEach(() => {
    if (zone === undefined) delete process.env['TZ'];
    else process.env['TZ'] = zone;
  });

  it('count whole seconds, and both ends in', () => {
    const line = `* valid-after="20260514182000Z",valid-before="20260514182100z" ${key}`;
    expect(ask(line, {}, at('2026-05-14T18:19:59.999Z'))).toBe(
      'line 1: the key is not valid before 2026-05-14T18:20:00.000Z',
    );
    expect(ask(line, {}, at('2026-05-14T18:20:00Z'))).toBe(1);
    expect(ask(line, {}, at('2026-05-14T18:21:00.999Z'))).toBe(1);
    expect(ask(line, {}, at('2026-05-14T18:21:01Z'))).toBe(
      'line 1: the key has expired: it was valid until 2026-05-14T18:21:00.000Z',
    );
  });

  it('are local without a Z', () => {
    process.env['TZ'] = 'Europe/Berlin';
    const summer = `* valid-before="202607011200" ${key}`;
    expect(ask(summer, {}, at('2026-07-01T10:00:00Z'))).toBe(1);
    expect(ask(summer, {}, at('2026-07-01T10:00:01Z'))).toContain('expired');
    const winter = `* valid-after="20260101" ${key}`;
    expect(ask(winter, {}, at('2025-12-31T22:59:59Z'))).toContain('not valid before');
    expect(ask(winter, {}, at('2025-12-31T23:00:00Z'))).toBe(1);
  });

  const none = ['20260230Z', '20261301Z', '2026010124Z', '202601012400Z', '202601011260Z'];
  it.each([...none, '19691231Z', '19700101Z', '00010101Z'])(
    'are refused where there is no such time: %s',
    (time) => {
      expect(ask(`* valid-before="${time}" ${key}`)).toMatch(
        /^line 1 cannot be read: valid-before/,
      );
      expect(ask(`* valid-after="${time}" ${key}`)).toMatch(/^line 1 cannot be read: valid-after/);
    },
  );
});

describe('lines of allowed signers', () => {
  it('are told by their numbers, also behind CRLF, and the first that allows counts', () => {
    expect(ask(`# one\r\n\r\nbob ${key}\r\nann@* ${key}\r\n* ${key}\r\n`)).toBe(4);
  });

  it('say why none of them allows', () => {
    const print = /SHA256:\S{43}$/;
    expect(ask('')).toMatch(print);
    expect(ask(`bob ${key}`)).toMatch(print);
    expect(ask(`* namespaces="git" ${key}`)).toBe('line 1: the key may not sign in namespace file');
    expect(ask(`* cert-authority ${key}`)).toContain('certificates, which are not accepted here');
    expect(ask(`* cert-authority,cert-authority ${key}`)).toContain('there twice');
    expect(ask(`* cert-authority="yes" ${key}`)).toContain('not in this form');
    expect(ask(`* namespaces="a ${key}`)).toBe('line 1 cannot be read: a quote is not closed');
    expect(ask('* ssh-ed25519 AAAA')).toContain('there is no key');
  });

  it('match bytes, as OpenSSH does', () => {
    const identity = 'jürgen';
    expect(ask(`j??rgen ${key}`, { identity })).toBe(1);
    expect(ask(`j?rgen ${key}`, { identity })).toMatch(/^no line/);
    expect(ask(`jürgen ${key}`, { identity })).toBe(1);
    // Not UTF-8: what takes its place when it is decoded must not match.
    const line = Buffer.concat([Buffer.of(0xff), Buffer.from(` ${key}`)]);
    expect(ask(line, { identity: '\ufffd' })).toMatch(/^no line/);
  });

  it('let nobody sign where a carriage return would hide a restriction', () => {
    expect(ask(`ann@*,\rcert-authority ${key}`)).toMatch(/^no line/);
    expect(ask(`\r!ann@*,* ${key}`)).toMatch(/^no line/);
    expect(ask(`\r* ${key}`)).toMatch(/^no line/);
    expect(ask(`* \rcert-authority ${key}`)).toMatch(/^line 1 cannot be read/);
  });

  it('may be any text: nothing is thrown, and nobody is let in', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary-ascii' }), (text) => {
        expect(ask(`* ${text}`)).toBeTypeOf('string');
      }),
    );
    const quotes = fc.array(fc.constantFrom('"', '\\', ',', ' ', 'a', '=', 'namespaces="'));
    fc.assert(
      fc.property(quotes, (parts) => {
        expect(ask(`ann@example.org ${parts.join('')} ssh-ed25519`)).toBeTypeOf('string');
      }),
    );
  });
});

describe('pattern lists', () => {
  const pattern = fc
    .array(fc.constantFrom('a', 'b', '*', '?', '**'))
    .map((parts) => parts.join(''));
  const text = fc.array(fc.constantFrom('a', 'b')).map((parts) => parts.join(''));

  it('match as the regular expression would', () => {
    fc.assert(
      fc.property(pattern, text, (glob, subject) => {
        const same = new RegExp(`^${glob.replace(/\*+/g, '.*').replaceAll('?', '.')}$`);
        expect(matchesPatternList(subject, glob)).toBe(same.test(subject));
      }),
    );
  });

  it('are over at the first match of a negated one', () => {
    fc.assert(
      fc.property(fc.array(pattern), text, (globs, subject) => {
        expect(matchesPatternList(subject, [...globs, '*'].join(','))).toBe(true);
        expect(matchesPatternList(subject, [...globs, '*', '!*'].join(','))).toBe(false);
      }),
    );
  });

  it('end, however many stars there are, and too long a pattern matches nothing', () => {
    expect(matchesPatternList('a'.repeat(5000), `${'*a'.repeat(400)}*b`)).toBe(false);
    expect(matchesPatternList('a'.repeat(1022), 'a'.repeat(1022))).toBe(true);
    expect(matchesPatternList('a'.repeat(1023), 'a'.repeat(1023))).toBe(false);
  });
});
