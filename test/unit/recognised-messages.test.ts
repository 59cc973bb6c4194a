import { createHash, randomBytes } from 'node:crypto';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { purposesOf } from '../../src/access/purposes.ts';
import { caCertSignedBytes } from '../../src/cluster/ca-cert.ts';
import { claimsSignedBytes } from '../../src/cluster/join-token.ts';
import { globalMessage } from '../../src/formats/minisign/signature.ts';
import { readLoginRequest } from '../../src/formats/ssh/login-request.ts';
import { sshsigMessage } from '../../src/formats/ssh/sshsig.ts';
import { SshReader, sshString } from '../../src/formats/ssh/wire.ts';

// Every message here is one that a verifier takes, or one that was made to look like nothing.

const folder = mkdtempSync(join(tmpdir(), 'recognised-'));
afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});
const purposeOf = (message: Uint8Array): string => purposesOf(message).join() || 'raw';
const at = (name: string): string => join(folder, name);
const bytes = (...parts: (string | Uint8Array)[]): Buffer =>
  Buffer.concat(parts.map((part) => Buffer.from(part)));

describe('a login over SSH', () => {
  const session = randomBytes(32);
  const key = sshString('a key blob');
  const beginning = [
    sshString(session),
    Buffer.of(50),
    sshString('ada'),
    sshString('ssh-connection'),
  ];
  const login = (method: string, ...rest: Uint8Array[]): Buffer =>
    bytes(...beginning, sshString(method), ...rest);
  const signed = [Buffer.of(1), sshString('ssh-ed25519'), key];

  test('by its key, by key and host, by its host', () => {
    const plain = login('publickey', ...signed);
    expect(purposeOf(plain)).toBe('ssh-login');
    expect(readLoginRequest(plain)).toEqual({
      ...{ sessionId: session, keyBlob: Buffer.from('a key blob'), hostKey: null },
    });
    const host = login('publickey-hostbound-v00@openssh.com', ...signed, sshString('host'));
    expect(purposeOf(host)).toBe('ssh-login');
    expect(readLoginRequest(host).hostKey).toEqual(Buffer.from('host'));
    const byHost = login('hostbased', ...signed.slice(1), sshString('h'), sshString('u'));
    expect(purposeOf(byHost)).toBe('ssh-login');
    expect(readLoginRequest(byHost).keyBlob).toEqual(Buffer.from('a key blob'));
  });

  test('is told although something about it is wrong, and then not read', () => {
    for (const wrong of [
      login('publickey', Buffer.of(0), ...signed.slice(1)),
      login('publickey', ...signed, Buffer.of(0)),
      login('publickey', Buffer.of(1)),
      login('publickey-of-tomorrow', ...signed),
      bytes(sshString(''), ...beginning.slice(1), sshString('publickey'), ...signed, 'x'),
    ]) {
      expect(purposeOf(wrong)).toBe('ssh-login');
      expect(() => readLoginRequest(wrong)).toThrow();
    }
  });

  test('is not another request, nor one that is cut off before its method', () => {
    const other = bytes(sshString(session), Buffer.of(51), ...beginning.slice(2));
    expect(purposeOf(bytes(other, sshString('publickey'), ...signed))).toBe('raw');
    expect(purposeOf(login('password', ...signed))).toBe('raw');
    expect(purposeOf(login('publickey').subarray(0, 60))).toBe('raw');
  });
});

describe('an SSH certificate', () => {
  test('as ssh-keygen has it signed, of every type', () => {
    execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', at('ca')]);
    for (const type of ['ed25519', 'ecdsa', 'rsa']) {
      execFileSync('ssh-keygen', ['-q', '-t', type, '-N', '', '-f', at(type)]);
      const flags = ['-q', '-s', at('ca'), '-I', 'me', '-n', 'ada', `${at(type)}.pub`];
      execFileSync('ssh-keygen', flags);
      const [, text = ''] = readFileSync(at(`${type}-cert.pub`), 'utf8').split(' ');
      const blob = Buffer.from(text, 'base64');
      // The signature is the last string: 4 bytes of length, and 83 of an Ed25519 signature.
      const signed = blob.subarray(0, -87);
      expect(new SshReader(blob.subarray(-87)).string()).toHaveLength(83);
      expect(purposeOf(signed), type).toBe('ssh-cert');
    }
  });

  test('is not a plain key, and no text that ends so', () => {
    expect(purposeOf(sshString('ssh-ed25519'))).toBe('raw');
    expect(purposeOf(Buffer.from('ssh-ed25519-cert-v01@openssh.com'))).toBe('raw');
    expect(purposeOf(bytes(sshString('ssh-ed25519-cert'), 'nonce'))).toBe('ssh-cert');
  });
});

describe('an sshsig', () => {
  const reserved = Buffer.alloc(0);
  const digest = createHash('sha512').update('x').digest();
  const of = (namespace: string): Buffer =>
    sshsigMessage({ namespace, reserved, hash: 'sha512' }, digest);

  test('with its namespace', () => {
    expect(purposeOf(of('file'))).toBe('sshsig:file');
    expect(purposeOf(of('git'))).toBe('sshsig:git');
  });

  test('of which no purpose names the namespace, or that is cut off, is for every namespace', () => {
    for (const message of [
      of(''),
      of('a\nb'),
      of('x'.repeat(256)),
      bytes(of('file'), 'x'),
      of('file').subarray(0, 40),
      Buffer.from('SSHSIG'),
      bytes('SSHSIG', sshString(Buffer.of(0xff)), sshString(''), sshString('a'), sshString('b')),
    ]) {
      expect(purposeOf(message)).toBe('sshsig');
    }
    expect(purposeOf(Buffer.from('SSHSIh'))).toBe('raw');
  });
});

describe('a JWS', () => {
  const b64 = (text: string | Uint8Array): string => Buffer.from(text).toString('base64url');
  const header = b64('{"alg":"EdDSA"}');
  const kindOf = (message: string | Uint8Array): string => purposeOf(Buffer.from(message));

  test('is a JWT where its payload is a JSON object', () => {
    expect(kindOf(`${header}.${b64('{"sub":"ada"}')}`)).toBe('jwt');
    expect(kindOf(`${header}.${b64('{}')}`)).toBe('jwt');
    expect(kindOf(`${header}.${b64('a text')}`)).toBe('jws');
    expect(kindOf(`${header}.${b64('["sub"]')}`)).toBe('jws');
    expect(kindOf(`${header}.`)).toBe('jws');
  });

  test('in the spellings that some reader takes', () => {
    const claims = '{"sub":"ada"}';
    const padded = Buffer.from('{"alg":"EdDSA"} ').toString('base64');
    const mark = '\ufeff';
    for (const spelled of [
      `${padded}.${b64(claims)}`,
      `${b64(` \n\t\r{ "alg":"EdDSA"}`)}.${b64(`  ${claims}`)}`,
      `${b64(`${mark}{"alg":"EdDSA"}`)}.${b64(mark + claims)}`,
      `${header}.${b64(' '.repeat(5000) + claims)}`,
      `${b64(`${' '.repeat(5000)}{"alg":"EdDSA"}`)}.${b64(claims)}`,
      `${b64(`{"x":"${'x'.repeat(100_000)}"}`)}.${b64(claims)}`,
      `${header.slice(0, 4)}\n ${header.slice(4)}.${b64(claims)}`,
      // RFC 7797: the payload stands there as it is.
      `${b64('{"alg":"EdDSA","b64":false,"crit":["b64"]}')}.${claims}`,
      `${header}.${b64(claims)}.x`,
    ]) {
      expect(kindOf(spelled), spelled.slice(0, 80)).toBe('jwt');
    }
  });

  test('in the base64 and the JSON of readers that take more than the standards', () => {
    const [alg, claims] = ['{"alg":"EdDSA"}', '{"sub":"ada"}'];
    const wide = (text: string): Buffer => Buffer.from(text, 'utf16le');
    for (const spelled of [
      // Python leaves a padding out where none belongs, Node.js ends at it.
      `=${header}.${b64(claims)}`,
      `${header.slice(0, 1)}=${header.slice(1)}.=${b64(claims)}`,
      `${b64('{alg:"EdDSA"}')}==${b64(Buffer.of(0xff, 0xff))}.${b64(claims)}`,
      // Python's reader of JSON tells UTF-16 and UTF-32 by themselves.
      `${b64(wide(alg))}.${b64(claims)}`,
      `${b64(wide(alg).swap16())}.${b64(wide(claims).swap16())}`,
      `${b64(wide(`\ufeff${alg}`))}.${b64(wide(`\ufeff \n${claims}`))}`,
      `${header}.${b64(Buffer.from([...Buffer.from(claims)].flatMap((one) => [0, 0, 0, one])))}`,
      // Ruby's takes comments; Gson also this, other quotes, and none.
      `${b64(`/* x */ // {\n${alg}`)}.${b64(`/**//**/${claims}`)}`,
      `${b64(`)]}'\n#x\n{alg:EdDSA}`)}.${b64("{'sub':'ada'}")}`,
      `${b64(`/*${'x'.repeat(5000)}*/${alg}`)}.${b64(`#${'x'.repeat(5000)}\n{sub:1}`)}`,
    ]) {
      expect(kindOf(spelled), spelled.slice(0, 80)).toBe('jwt');
    }
    expect(kindOf(`${header}.${b64('{ is no object')}`)).toBe('jws');
    expect(kindOf(`${header}.${b64(Buffer.of(0x7b, 0xff, 0x7d))}`)).toBe('jws');
    expect(kindOf(`${header}.${b64('/* nothing else */')}`)).toBe('jws');
  });

  test('is told in one pass, whatever stands before it', () => {
    const comments = '/**/'.repeat(40_000);
    expect(kindOf(`${header}.${b64(comments)}`)).toBe('jws');
    expect(kindOf(`${header}.${b64(`${comments}{"a":1}`)}`)).toBe('jwt');
  });

  test('is no text that begins with the same letters, and no JSON', () => {
    for (const text of [
      'example. And so on',
      'eyes. And ears',
      'extra.ey',
      '.',
      'e',
      '{"a":1.5}',
      '1.2',
    ]) {
      expect(kindOf(text), text).toBe('raw');
    }
  });
});

describe('what a cluster has signed', () => {
  const claims = {
    ...{ api_endpoint: 'https://leader:3669', raft_endpoint: '10.0.0.1:3670' },
    ...{ leader_wg_pubkey: 'w"g\u2028', overlay_cidr: 'ü', exp: '2030-01-01T00:00:00Z' },
    ...{ iat: '2026-01-01T00:00:00Z', iss: 'leader' },
  };

  test('the claims of a join token, in their order', () => {
    const signed = claimsSignedBytes(claims);
    expect(purposeOf(signed)).toBe('join-token');
    const { api_endpoint: first, ...rest } = claims;
    const { iss: last, ...others } = claims;
    for (const other of [
      JSON.stringify({ ...rest, api_endpoint: first }),
      JSON.stringify(others),
      ` ${String(signed)}`,
      JSON.stringify(claims, null, 1),
    ]) {
      // Nobody makes these bytes of a token that was read.
      expect(purposeOf(Buffer.from(other)), last).toBe('raw');
    }
  });

  test('a certificate for its key', () => {
    const certificate = {
      ...{ v: 1 as const, active_kid: '00000000', active_pubkey_b64: 'AA' },
      ...{ issued_at: claims.iat, expires_at: claims.exp, cluster_domain: 'prod.example' },
    };
    expect(purposeOf(caCertSignedBytes(certificate))).toBe('join-token');
  });
});

describe('a part of X.509', () => {
  let certificate: Buffer;
  let request: Buffer;
  beforeAll(() => {
    const flags = ['-newkey', 'ed25519', '-nodes', '-keyout', at('key.pem'), '-subj', '/CN=x'];
    const openssl = (...words: string[]): Buffer =>
      execFileSync('openssl', words, { stdio: 'pipe' });
    certificate = openssl('req', '-x509', ...flags, '-outform', 'DER');
    request = openssl('req', '-new', ...flags, '-outform', 'DER');
  });

  /** The first value of a sequence that is shorter than 64 KiB and longer than 127 bytes. */
  const firstOf = (der: Buffer): Buffer => {
    const from = 2 + ((der[1] ?? 0) & 0x7f);
    const octets = (der[from + 1] ?? 0) & 0x7f;
    const length = (der[from + 1] ?? 0) < 0x80 ? octets : der.readUIntBE(from + 2, octets);
    const header = (der[from + 1] ?? 0) < 0x80 ? 2 : 2 + octets;
    return der.subarray(from, from + header + length);
  };
  const value = (type: number, ...content: Uint8Array[]): Buffer => {
    const all = Buffer.concat(content);
    return bytes(Buffer.of(type, 0x82, all.length >> 8, all.length & 0xff), all);
  };
  const sequence = (...content: Uint8Array[]): Buffer => value(0x30, ...content);
  const time = value(0x17, Buffer.from('260101000000Z'));
  const version = Buffer.of(2, 1, 1);

  test('a certificate and a request, as OpenSSL makes them', () => {
    expect(purposeOf(firstOf(certificate))).toBe('x509');
    expect(purposeOf(firstOf(request))).toBe('x509');
    // The whole of it was signed already.
    expect(purposeOf(certificate)).toBe('raw');
  });

  test('a list of revoked ones, of either version, and an answer about one', () => {
    const [alg, name] = [sequence(Buffer.of(6, 3, 0x2b, 0x65, 0x70)), sequence()];
    expect(purposeOf(sequence(version, alg, name, time))).toBe('x509');
    expect(purposeOf(sequence(alg, name, value(0x18, Buffer.from('20260101000000Z'))))).toBe(
      'x509',
    );
    const responder = value(0xa1, name);
    const at = value(0x18, Buffer.from('20260101000000Z'));
    expect(purposeOf(sequence(responder, at, sequence()))).toBe('x509');
    expect(purposeOf(sequence(value(0xa0, version), value(0xa2), at, sequence()))).toBe('x509');
  });

  test('with lengths that BER has and DER does not', () => {
    const tbs = firstOf(certificate);
    const header = 2 + ((tbs[1] ?? 0) >= 0x80 ? (tbs[1] ?? 0) & 0x7f : 0);
    const content = tbs.subarray(header);
    const { length } = content;
    for (const spelled of [
      bytes(Buffer.of(0x30, 0x84, 0, 0, length >> 8, length & 0xff), content),
      bytes(Buffer.of(0x30, 0x80), content, Buffer.of(0, 0)),
      bytes(Buffer.of(0x30, 0x88, 0, 0, 0, 0, 0, 0, length >> 8, length & 0xff), content),
    ]) {
      expect(purposeOf(spelled)).toBe('x509');
    }
    // An issuer whose end only its end shows, with a type of two bytes in it.
    const open = bytes(Buffer.of(0x30, 0x80, 0x3f, 0x81, 0x01, 0x80, 0, 0), Buffer.of(0, 0));
    const list = sequence(version, sequence(), open, time);
    expect(purposeOf(list)).toBe('x509');
  });

  test('with types that OpenSSL reads and DER does not spell so', () => {
    // Type 16 as types above 30 are spelled.
    const tbs = firstOf(certificate);
    expect(purposeOf(bytes(Buffer.of(0x3f, 0x10), tbs.subarray(1)))).toBe('x509');
    expect(purposeOf(bytes(Buffer.of(0x3f, 0x80, 0x10), tbs.subarray(1)))).toBe('x509');
    const from = 2 + ((tbs[1] ?? 0) & 0x7f);
    const marked = bytes(Buffer.of(0xbf, 0), tbs.subarray(from + 1));
    expect(purposeOf(sequence(marked))).toBe('x509');
    // A time that says that it is made of parts.
    const made = value(0x37, time);
    expect(purposeOf(sequence(sequence(), sequence(), made))).toBe('x509');
    expect(purposeOf(sequence(value(0xa1, sequence()), value(0x38, time), sequence()))).toBe(
      'x509',
    );
  });

  test('a request without attributes, which OpenSSL takes', () => {
    expect(purposeOf(sequence(Buffer.of(2, 1, 0), sequence(), sequence()))).toBe('x509');
  });

  test('is what keeps its reader busy', () => {
    const many = bytes(Buffer.of(0x30, 0x80), Buffer.alloc(20_000, Buffer.of(2, 0)));
    expect(purposeOf(bytes(Buffer.of(0x30, 0x80), many))).toBe('x509,minisign');
  });

  test('is no other DER, and nothing that is cut off', () => {
    for (const other of [
      sequence(version, version),
      sequence(Buffer.of(2, 5, 1)),
      sequence(),
      Buffer.of(0x30),
      Buffer.of(0x30, 0x84, 0xff),
      bytes(Buffer.of(0x30, 0x80), ...Array<Buffer>(200).fill(Buffer.of(0x30, 0x80))),
      bytes(Buffer.of(0x30, 0xff), Buffer.alloc(200, 0xff)),
    ]) {
      expect(purposeOf(other)).toBe('raw');
    }
  });
});

describe('what minisign has signed', () => {
  test('every digest of 64 bytes', () => {
    expect(purposeOf(createHash('blake2b512').update('x').digest())).toBe('minisign');
    expect(purposeOf(Buffer.alloc(64, 0xff))).toBe('minisign');
    expect(purposeOf(Buffer.alloc(63, 0))).toBe('raw');
    expect(purposeOf(Buffer.alloc(32))).toBe('raw');
  });

  test('a signature and the comment behind it, of whatever bytes minisign takes', () => {
    const pub = at('minisign.pub');
    const sec = at('minisign.sec');
    writeFileSync(at('file'), 'x');
    execFileSync('minisign', ['-G', '-W', '-p', pub, '-s', sec]);
    for (const comment of ['timestamp:1\tfile:x\thashed', 'x', '\u00fc']) {
      execFileSync('minisign', ['-S', '-W', '-s', sec, '-m', at('file'), '-t', comment]);
      const [, signed = ''] = readFileSync(at('file.minisig'), 'utf8').split('\n');
      const signature = Buffer.from(signed, 'base64').subarray(10);
      expect(purposeOf(globalMessage(signature, Buffer.from(comment)))).toBe('minisign');
      // Not UTF-8, which minisign takes; with a NUL, which others take.
      expect(purposeOf(globalMessage(signature, Buffer.of(0xff)))).toBe('minisign');
      expect(purposeOf(globalMessage(signature, Buffer.of(0)))).toBe('minisign');
    }
  });

  test('no text, and no signature that cannot be one', () => {
    expect(purposeOf(Buffer.from('a text that is longer than a signature '.repeat(3)))).toBe('raw');
    const tooLarge = bytes(Buffer.alloc(63), Buffer.of(0x11), 'comment');
    expect(purposeOf(tooLarge)).toBe('raw');
    expect(purposeOf(bytes(Buffer.alloc(64), 'two\nlines'))).toBe('raw');
  });
});

describe('a signature of minisign that passes for something else as well', () => {
  // Who has the other purpose tries files until their signature, or their digest, begins so.
  const random = createHash('sha512').update('x').digest();
  const signature = (...beginning: (string | Uint8Array)[]): Buffer => {
    const begins = bytes(...beginning);
    return bytes(begins, random.subarray(begins.length, 63), Buffer.of(0x0f));
  };

  test('is both', () => {
    expect(purposeOf(bytes(signature('eyI'), '.x'))).toBe('jws,minisign');
    expect(purposeOf(bytes(signature('eyI'), '.{"sub":"ada"}'))).toBe('jwt,minisign');
    expect(purposeOf(signature('eyI.'))).toBe('jws,minisign');
    const login = ['2\0\0\0\0\0\0\0\0', sshString('publickey')];
    const session = bytes(signature(Buffer.of(0, 0, 0, 70)), 'x'.repeat(10));
    expect(purposeOf(bytes(session, ...login))).toBe('ssh-login,minisign');
    const serial = bytes(signature(Buffer.of(0x30, 0x50, 2, 62)), 'xx');
    const rest = Buffer.of(0x30, 0, 0x30, 0, 0x30, 0);
    expect(purposeOf(bytes(serial, rest))).toBe('x509,minisign');
  });

  test('is none where it begins as no signature and no digest does', () => {
    const text = Buffer.from('{"alg":"EdDSA","typ":"JWT","kid":"00000000"}').toString('base64url');
    expect(purposeOf(Buffer.from(`${text}.${text}`.slice(0, 64)))).toBe('jwt');
    expect(purposeOf(Buffer.from('0'.repeat(64)))).toBe('raw');
    const file = { namespace: 'file', reserved: Buffer.alloc(0), hash: 'sha256' } as const;
    expect(sshsigMessage(file, random.subarray(0, 32))).toHaveLength(64);
    expect(purposeOf(sshsigMessage(file, random.subarray(0, 32)))).toBe('sshsig:file');
    const version = Buffer.of(0xa0, 3, 2, 1, 2, 2, 1, 1);
    const names = Buffer.of(0x30, 0, 0x30, 0, 0x30, 0, 0x30, 0, 0x30, 49);
    const tbs = bytes(Buffer.of(0x30, 0x82, 0, 67), version, names, Buffer.alloc(49, 1));
    expect(purposeOf(tbs)).toBe('x509');
    expect(
      purposeOf(bytes(Buffer.of(0x30, 0x83, 0, 0, 67), version, names, Buffer.alloc(49, 1))),
    ).toBe('x509,minisign');
  });
});

test('what passes for two things is both', () => {
  // A session id that is the beginning of a header, to a reader that leaves out what is no base64.
  const header = Buffer.from('{"alg":"EdDSA","x":"').toString('base64url');
  const message = bytes(
    ...[sshString(header.slice(0, 24)), Buffer.of(50), sshString('"}.'), sshString('')],
    ...[sshString('publickey'), Buffer.of(1)],
  );
  expect(purposeOf(message)).toBe('ssh-login,jws');
});

test('messages of every length are told without fault', () => {
  for (let length = 0; length < 300; length += 1) {
    for (const filling of [0, 0x30, 0x80, 0xa0, 0xff, 0x2e, 0x7b]) {
      expect(purposeOf(Buffer.alloc(length, filling))).toMatch(/^(raw|minisign)$/);
    }
  }
});
