import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { agentctl, type Session } from '../support/cli-session.ts';
import { OpensshKeys } from '../support/openssh-keys.ts';

// Files with public keys as other programs and people write them.

const keys = new OpensshKeys();
afterAll(() => {
  keys.remove();
});
const at = (name: string): string => join(keys.folder, name);
const put = (name: string, content: string): string => {
  writeFileSync(at(name), content);
  return at(name);
};
const message = put('message', 'hello\n');

interface Pair {
  readonly pub: string;
  readonly pem: string;
  readonly signature: string;
}
function pair(...options: string[]): Pair {
  const path = keys.make(...options);
  const armored = execFileSync('ssh-keygen', ['-q', '-Y', 'sign', '-n', 'file', '-f', path], {
    input: 'hello\n',
    stdio: ['pipe', 'pipe', 'ignore'],
  });
  writeFileSync(`${path}.sig`, armored);
  const pem = options.includes('ecdsa')
    ? execFileSync('ssh-keygen', ['-e', '-m', 'PKCS8', '-f', `${path}.pub`], { encoding: 'utf8' })
    : '';
  return { pub: readFileSync(`${path}.pub`, 'utf8'), pem, signature: `${path}.sig` };
}

let ed: Pair;
let ec: Pair;
let minisign: { readonly pub: string; readonly signature: string };
beforeAll(() => {
  ed = pair('-t', 'ed25519');
  ec = pair('-t', 'ecdsa');
  const made = ['-p', at('mk.pub'), '-s', at('mk.key')];
  execFileSync('minisign', ['-G', '-W', ...made], { stdio: 'ignore' });
  const sign = ['-S', '-s', at('mk.key'), '-m', message, '-x', at('mm')];
  execFileSync('minisign', sign, { stdio: 'ignore' });
  minisign = { pub: readFileSync(at('mk.pub'), 'utf8'), signature: at('mm') };
});

function verify(content: string, { signature }: { signature: string }): Promise<Session> {
  const argv = ['verify', message, '--signature', signature, '--public-key', put('k', content)];
  return agentctl(argv);
}

const crlf = (text: string): string => text.replaceAll('\n', '\r\n');

describe('a .pub file', () => {
  it.each<[string, (pub: string) => string]>([
    ['as it is', (pub) => pub],
    ['with a comment line first', (pub) => `# laptop\n${pub}`],
    ['with comments and empty lines around', (pub) => `\n# a\n\n${pub}\n# b\n\n`],
    ['with CRLF', crlf],
    ['with a byte order mark', (pub) => `\ufeff${pub}`],
    ['with a tab for a space', (pub) => pub.replace(' ', '\t')],
    ['with options before the key', (pub) => `from="10.0.0.1 , *",no-pty ${pub}`],
  ])('%s is read', async (_, changed) => {
    expect(await verify(changed(ed.pub), ed)).toMatchObject({ code: 0, err: '' });
    expect(await verify(changed(ec.pub), ec)).toMatchObject({ code: 0, err: '' });
  });

  it('with several keys is refused, whichever of them signed', async () => {
    for (const text of [`${ec.pub}${ed.pub}`, `${ed.pub}# more\n${ec.pub}`, `${ed.pub}${ed.pub}`]) {
      const session = await verify(text, ed);
      expect(session).toMatchObject({ code: 2, out: '' });
      expect(session.err).toContain('it holds 2 keys');
    }
  });
});

describe('a PEM file', () => {
  it.each<[string, (pem: string) => string]>([
    ['with text before it (RFC 7468, section 2)', (pem) => `key of the build farm\n${pem}`],
    ['with text behind it', (pem) => `${pem}\nvalid for this year\n`],
    ['with CRLF', crlf],
    ['with a byte order mark', (pem) => `\ufeff${pem}`],
  ])('%s is read', async (_, changed) => {
    expect(await verify(changed(ec.pem), ec)).toMatchObject({ code: 0, err: '' });
  });

  it('with several keys, or with a private one anywhere, is refused', async () => {
    const two = await verify(`${ec.pem}${ec.pem}`, ec);
    expect(two).toMatchObject({ code: 2, out: '' });
    expect(two.err).toContain('it holds 2 keys');
    const begin = '-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n';
    expect((await verify(`${ec.pem}${begin}`, ec)).err).toContain('PRIVATE key');
    expect((await verify(`words\n${begin}`, ec)).err).toContain('PRIVATE key');
  });
});

describe('a file as ssh-keygen -e writes it (RFC 4716)', () => {
  it('is read, with its headers, those that go on in the next line too', async () => {
    const path = put('e.pub', ed.pub);
    const text = execFileSync('ssh-keygen', ['-e', '-f', path], { encoding: 'utf8' });
    expect(await verify(text, ed)).toMatchObject({ code: 0 });
    expect(await verify(crlf(text), ed)).toMatchObject({ code: 0 });
    const long = text.replace(/^Comment: .*$/m, 'Comment: a long one \\\nthat: goes on\nx-me: y');
    expect(await verify(long, ed)).toMatchObject({ code: 0 });
    expect((await verify(`${text}${text}`, ed)).err).toContain('it holds 2 keys');
    expect(await verify(text.replace(/AAAA/, 'BBBB'), ed)).toMatchObject({ code: 2 });
  });
});

describe('a .pub file of minisign', () => {
  it.each<[string, (pub: string) => string]>([
    ['as it is', (pub) => pub],
    ['with any first line', (pub) => pub.replace(/^.*\n/, 'my key\n')],
    ['with a third line', (pub) => `${pub}# from the web site\n`],
    ['with CRLF', crlf],
    ['with a byte order mark', (pub) => `\ufeff${pub}`],
    ['without its first line', (pub) => pub.replace(/^.*\n/, '')],
  ])('%s is read', async (_, changed) => {
    expect(await verify(changed(minisign.pub), minisign)).toMatchObject({ code: 0, err: '' });
  });

  it('with another key behind it is refused', async () => {
    const session = await verify(`${minisign.pub}${minisign.pub}`, minisign);
    expect(session).toMatchObject({ code: 2, out: '' });
    expect(session.err).toContain('several minisign keys');
  });
});

describe('words of the command line', () => {
  it('that are no UTF-8 are refused before anything is read or written', async () => {
    const session = await agentctl(['sign', 'caf\ufffd', '--out', 'x']);
    expect(session).toMatchObject({ code: 2, out: '' });
    expect(session.err).toContain('word 2 of the command line is not UTF-8');
  });

  it('that begin with - are told where they go', async () => {
    expect((await agentctl(['sign', '-file'])).err).toContain('goes behind --');
    const path = put('-file', 'x');
    const inside = await agentctl(['verify', '--signature', minisign.signature, '--', path]);
    expect(inside.code).not.toBe(2);
  });

  it('that an option would swallow are refused', async () => {
    const global = await agentctl(['sign', message, '--out', '--json']);
    expect(global).toMatchObject({ code: 2, out: '' });
    const session = await agentctl(['sign', message, '--out', '--format=raw']);
    expect(session).toMatchObject({ code: 2, out: '' });
    expect(session.err).toContain('--out has no value: --format=raw follows');
    const signers = ['verify', message, '--signature', '--namespace=x'];
    expect((await agentctl(signers)).err).toContain('--signature has no value');
    const value = await agentctl(['verify', message, '--signature=--none', '--public-key', 'x']);
    expect(value.err).toContain('cannot read --none');
  });
});
