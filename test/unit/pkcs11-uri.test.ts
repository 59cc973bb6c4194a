import { chmodSync, linkSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { execFileSync } from 'node:child_process';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { AgentError } from '../../src/base/errors.ts';
import { readPin } from '../../src/vault/pins/read-pin.ts';
import { resolveModulePath } from '../../src/vault/pkcs11/module-path.ts';
import { parsePkcs11Uri } from '../../src/vault/pkcs11/uri.ts';

function refusalOf(action: () => unknown): AgentError {
  try {
    action();
  } catch (thrown) {
    if (thrown instanceof AgentError) return thrown;
    throw thrown;
  }
  throw new Error('it was not refused');
}

const refusal = (text: string): string => {
  const error = refusalOf(() => parsePkcs11Uri(text));
  expect(error.kind).toBe('invalid_params');
  return error.message;
};

describe('a PKCS#11 URI', () => {
  it('is read whole', () => {
    expect(
      parsePkcs11Uri(
        'pkcs11:token=prod;serial=0a1b;manufacturer=SoftHSM%20project;model=SoftHSM%20v2;object=my%2Fkeys;' +
          'id=%00%ff?module-path=/usr/lib/softhsm/libsofthsm2.so&pin-source=file:/run/pin',
      ),
    ).toEqual({
      token: 'prod',
      serial: '0a1b',
      manufacturer: 'SoftHSM project',
      model: 'SoftHSM v2',
      object: 'my/keys',
      id: Buffer.from([0x00, 0xff]),
      modulePath: '/usr/lib/softhsm/libsofthsm2.so',
      moduleName: null,
      pinSource: '/run/pin',
    });
  });

  it('may name nothing, or a module by its name, in any case of the scheme', () => {
    expect(Object.values(parsePkcs11Uri('pkcs11:')).every((value) => value === null)).toBe(true);
    expect(parsePkcs11Uri('PKCS11:?module-name=softhsm2').moduleName).toBe('softhsm2');
  });

  it('takes bytes percent-encoded in UTF-8, and separators inside values', () => {
    expect(parsePkcs11Uri('pkcs11:token=%C3%9Cber;model=a%3Bb%3Fc%25').token).toBe('Über');
    expect(parsePkcs11Uri('pkcs11:token=a%3Bb%3Fc%25').token).toBe('a;b?c%');
    expect(parsePkcs11Uri('pkcs11:?module-path=/a%26b.so').modulePath).toBe('/a&b.so');
    expect(parsePkcs11Uri('pkcs11:token=a&b=c').token).toBe('a&b=c');
  });

  it('reads back every text that was percent-encoded', () => {
    fc.assert(
      fc.property(
        fc.string({ minLength: 1, unit: 'grapheme' }).filter((text) => !text.includes('\0')),
        (text) => {
          expect(parsePkcs11Uri(`pkcs11:object=${encodeURIComponent(text)}`).object).toBe(text);
        },
      ),
    );
  });

  it('answers any text with a URI or a refusal', () => {
    const piece = fc.constantFrom(
      'pkcs11:',
      'token',
      '=',
      ';',
      '?',
      '&',
      '%',
      '%4',
      '%41',
      'a',
      '/',
      ' ',
      'é',
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
        try {
          parsePkcs11Uri(`pkcs11:${pieces.join('')}`);
        } catch (thrown) {
          expect(thrown).toBeInstanceOf(AgentError);
        }
      }),
    );
  });

  it.each([
    ['http:token=a', 'starts with'],
    ['', 'starts with'],
    ['pkcs11:token=a;token=b', '"token" stands there twice'],
    ['pkcs11:tokne=a', '"tokne" is not supported; known are token,'],
    ['pkcs11:type=private', '"type" is not supported'],
    ['pkcs11:slot-id=0', '"slot-id" is refused: a token is found by'],
    ['pkcs11:?slot-id=0', '"slot-id" is refused'],
    ['pkcs11:module-path=/a.so', '"module-path" belongs behind the "?"'],
    ['pkcs11:?token=a', '"token" belongs before the "?"'],
    ['pkcs11:token', 'not of the form name=value'],
    ['pkcs11:token=a;', 'not of the form name=value'],
    ['pkcs11:token=', '"token" is empty'],
    ['pkcs11:token=%zz', 'without two hex digits'],
    ['pkcs11:token=%4', 'without two hex digits'],
    ['pkcs11:token=%ff', '"token" is not UTF-8'],
    ['pkcs11:token=%ed%a0%80', '"token" is not UTF-8'],
    ['pkcs11:token=a%00b', 'NUL'],
    ['pkcs11:token=a b', 'percent-encoded'],
    ['pkcs11:token=ü', 'percent-encoded'],
    ['pkcs11:?module-path=a.so', '"module-path" must be an absolute path'],
    ['pkcs11:?module-name=../evil', '"module-name" is the name of a library'],
    ['pkcs11:?module-name=a&module-path=/b.so', 'keep one'],
    ['pkcs11:?pin-source=pin', '"pin-source" must be an absolute path'],
    ['pkcs11:?pin-source=file:pin', '"pin-source" must be an absolute path'],
    ['pkcs11:?pin-source=file://host/pin', '"pin-source" must be an absolute path'],
    ['pkcs11:?pin-source=|/bin/pin', '"pin-source" must be an absolute path'],
    ['pkcs11:?pin-source=https://host/pin', '"pin-source" must be an absolute path'],
  ])('%s is refused', (text, message) => {
    expect(refusal(text)).toContain(message);
  });

  it.each(['/run/pin', 'file:/run/pin', 'file:///run/pin'])('takes pin-source=%s', (source) => {
    expect(parsePkcs11Uri(`pkcs11:?pin-source=${source}`).pinSource).toBe('/run/pin');
  });

  it.each([
    'pkcs11:?pin-value=hunter2',
    'pkcs11:pin-value=hunter2',
    'pkcs11:?pin-valeu=hunter2',
    'pkcs11:?hunter2',
    'pkcs11:?pin-source=hunter2',
    'pkcs11:?pin-source=hunter2%',
  ])('%s is refused without repeating what may be a PIN', (text) => {
    expect(refusal(text)).not.toContain('hunter2');
  });

  it('with pin-value is refused with the remedy', () => {
    expect(refusal('pkcs11:?pin-value=1234')).toContain('pin-source=file:/path');
  });
});

describe('the module', () => {
  it('is found by its name, and by any path to it', () => {
    const named = resolveModulePath({ moduleName: 'softhsm2', modulePath: null });
    expect(named).toMatch(/\/libsofthsm2\.so$/);
    expect(resolveModulePath({ moduleName: 'libsofthsm2', modulePath: null })).toBe(named);
    expect(resolveModulePath({ moduleName: null, modulePath: named })).toBe(named);
  });

  it('must be named and there', () => {
    const none = refusalOf(() => resolveModulePath({ moduleName: null, modulePath: null }));
    expect(none.kind).toBe('invalid_params');
    for (const uri of [
      { moduleName: 'no-such-module', modulePath: null },
      { moduleName: null, modulePath: '/no/such/module.so' },
    ]) {
      const error = refusalOf(() => resolveModulePath(uri));
      expect(error.kind).toBe('backend_unavailable');
      expect(error.message).toContain('no');
      expect(error.message).toContain('was not found');
    }
  });
});

describe('a PIN file', () => {
  let dir: string;
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'signing-agent-pin-'));
  });
  afterEach(() => {
    rmSync(dir, { recursive: true });
  });

  const write = (content: string | Buffer, mode = 0o600, name = 'pin'): string => {
    const path = join(dir, name);
    writeFileSync(path, content);
    chmodSync(path, mode);
    return path;
  };
  const read = (pinSource: string | null): string | undefined =>
    readPin({ pinSource, keyring: 'default', credentialsDirectory: null })?.toString();
  const refusedFor = (path: string): string => {
    const error = refusalOf(() => read(path));
    expect(error.kind).toBe('backend_unavailable');
    expect(error.message).toContain(path);
    return error.message;
  };

  it('is read without the newlines behind it', () => {
    expect(read(write('1234\n'))).toBe('1234');
    expect(read(write('1234'))).toBe('1234');
    expect(read(write('12 34\n\n'))).toBe('12 34');
    expect(read(write('x'.repeat(1024)))).toHaveLength(1024);
    expect(read(write(`${'x'.repeat(1024)}\n`))).toHaveLength(1024);
  });

  it('is followed through symbolic links, as secret stores publish it', () => {
    symlinkSync(write('1234\n'), join(dir, 'link'));
    expect(read(join(dir, 'link'))).toBe('1234');
  });

  it('is refused where others can reach it, whatever the link to it looks like', () => {
    for (const mode of [0o604, 0o602, 0o660, 0o644]) {
      expect(refusedFor(write('1234', mode))).toContain(`mode 0${mode.toString(8)}`);
    }
    linkSync(write('1234', 0o644), join(dir, 'hard'));
    expect(refusedFor(join(dir, 'hard'))).toContain('chmod 0600');
  });

  it('is refused where it is missing, empty, long, no file, or no text', () => {
    expect(refusedFor(join(dir, 'none'))).toContain('does not exist');
    expect(refusedFor(write(''))).toContain('is empty');
    expect(refusedFor(write('\n'))).toContain('is empty');
    expect(refusedFor(write('x'.repeat(1025)))).toContain('longer than 1024 bytes');
    expect(refusedFor(write(`${'x'.repeat(1024)}\nx`))).toContain('more than one line');
    expect(refusedFor(write(Buffer.from([0xff, 0xfe])))).toContain('UTF-8');
    expect(refusedFor(dir)).toContain('not a regular file');
    execFileSync('mkfifo', ['-m', '600', join(dir, 'fifo')]);
    expect(refusedFor(join(dir, 'fifo'))).toContain('not a regular file');
  });

  it('falls back to the systemd credential of the keyring, then to none', () => {
    const credentialsDirectory = dir;
    expect(readPin({ pinSource: null, keyring: 'ci', credentialsDirectory })).toBeNull();
    write('5678\n', 0o400, 'ci.pin');
    expect(readPin({ pinSource: null, keyring: 'ci', credentialsDirectory })?.toString()).toBe(
      '5678',
    );
    expect(readPin({ pinSource: null, keyring: 'ci', credentialsDirectory: null })).toBeNull();
  });

  it('that is named and missing is not replaced by a credential', () => {
    write('5678\n', 0o400, 'ci.pin');
    const missing = join(dir, 'none');
    expect(
      refusalOf(() => readPin({ pinSource: missing, keyring: 'ci', credentialsDirectory: dir }))
        .kind,
    ).toBe('backend_unavailable');
  });
});
