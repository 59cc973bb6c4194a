import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { secretIn } from '../../src/files/secret-line.ts';
import { maxPinLength } from '../../src/vault/pins/pin-form.ts';
import { readPin } from '../../src/vault/pins/read-pin.ts';
import { agentctl } from '../support/cli-session.ts';

const dir = mkdtempSync(join(tmpdir(), 'secret-line-'));
afterAll(() => {
  rmSync(dir, { recursive: true });
});

let files = 0;
function file(content: Buffer): string {
  const path = join(dir, `f${files++}`);
  writeFileSync(path, content, { mode: 0o600 });
  return path;
}

const whole: [string, string | Buffer, string][] = [
  ['no line end', '123456', '123456'],
  ['a newline', '123456\n', '123456'],
  ['CRLF', '123456\r\n', '123456'],
  ['several newlines', '123456\n\n\n', '123456'],
  ['several CRLF', '123456\r\n\r\n', '123456'],
  ['a byte order mark', '\ufeff123456', '123456'],
  ['a byte order mark and CRLF', '\ufeff123456\r\n', '123456'],
  ['a space within', 'open sesame\n', 'open sesame'],
  ['letters beyond ASCII', 'Grüße\n', 'Grüße'],
  [
    'as many bytes as there may be',
    `\ufeff${'x'.repeat(maxPinLength)}\r\n`,
    'x'.repeat(maxPinLength),
  ],
];

const refused: [string, string | Buffer, RegExp][] = [
  ['nothing', '', /is empty/],
  ['line ends alone', '\r\n\n', /is empty/],
  ['a space behind', '123456 \n', /space/],
  ['a space before', ' 123456\n', /space/],
  ['a space between secret and line end', '123456 \r\n', /space/],
  ['a tab', '123456\t\n', /control character/],
  ['a second line', '123456\n654321\n', /more than one line/],
  ['a carriage return within', '123\r456\n', /more than one line/],
  ['an escape', '\u001b[A123456', /control character/],
  ['DEL', '123456\u007f', /control character/],
  ['NUL', '123456\0', /not a line of UTF-8/],
  ['UTF-16', Buffer.from('\ufeff123456\r\n', 'utf16le'), /UTF-16/],
  ['UTF-16, big-endian', Buffer.from('\ufeff123456', 'utf16le').swap16(), /UTF-16/],
  ['Latin-1', Buffer.from('Grüße', 'latin1'), /not a line of UTF-8/],
  ['more bytes than there may be', 'x'.repeat(maxPinLength + 1), /is longer than 1024 bytes/],
  ['far more', 'x'.repeat(100_000), /is longer than/],
];

describe('a secret in a file', () => {
  it.each(whole)('with %s is the secret alone', (_, content, secret) => {
    const bytes = Buffer.from(content as string);
    expect(secretIn(bytes)).toEqual({ secret: Buffer.from(secret) });
    const pinSource = file(bytes);
    const given = { pinSource, keyring: 'default', credentialsDirectory: null };
    expect(readPin(given)).toEqual(Buffer.from(secret));
    const credentialsDirectory = mkdtempSync(join(dir, 'credentials-'));
    writeFileSync(join(credentialsDirectory, 'default.pin'), bytes, { mode: 0o600 });
    expect(readPin({ pinSource: null, keyring: 'default', credentialsDirectory })?.toString()).toBe(
      secret,
    );
  });

  it.each(refused)('with %s is refused by name, and not shown', async (_, content, why) => {
    const bytes = Buffer.from(content as string);
    const pinSource = file(bytes);
    const given = { pinSource, keyring: 'default', credentialsDirectory: null };
    expect(() => readPin(given)).toThrow(why);
    expect(() => readPin(given)).toThrow(pinSource);
    // Refused before an agent is looked for: there is none.
    const ask = ['--socket', '/none'];
    for (const session of [
      await agentctl([...ask, 'unlock', '--pin-file', pinSource]),
      await agentctl([...ask, '--api-key-file', pinSource, 'status']),
      await agentctl([...ask, 'unlock', '--pin-file', '-'], { stdin: bytes }),
    ]) {
      expect(session).toMatchObject({ code: 2, out: '' });
      expect(session.err).toMatch(content.length > 10_000 ? /longer/ : why);
      expect(session.err).not.toMatch(/123456|654321/);
    }
  });
});
