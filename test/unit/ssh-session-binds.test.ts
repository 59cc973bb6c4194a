import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { fingerprint } from '../../src/formats/ssh/public-key.ts';
import {
  readSessionBind,
  SessionBinds,
  type ClaimedBind,
  type SessionBind,
} from '../../src/server/ssh-agent/session-binds.ts';
import { SshFormatError, SshReader, sshString } from '../../src/formats/ssh/wire.ts';
import { OpensshKeys } from '../support/openssh-keys.ts';

let keys: OpensshKeys;
let content: Buffer;
let host: string;
beforeAll(() => {
  keys = new OpensshKeys();
  const { publicKey, data, signature } = keys.sign(keys.make('-t', 'ed25519'), 'session');
  host = fingerprint(publicKey);
  content = Buffer.concat([...[publicKey, data, signature].map(sshString), Buffer.of(1)]);
});
afterAll(() => {
  keys.remove();
});

const read = (bytes: Buffer): ClaimedBind => readSessionBind(new SshReader(bytes));
const verified = async (bytes: Buffer): Promise<SessionBind> => {
  const { bind, verify } = read(bytes);
  await verify();
  return bind;
};

describe('the content of a session-bind', () => {
  test('says which host, and whether it is forwarded', async () => {
    expect(await verified(content)).toMatchObject({ host, isForwarded: true });
    const direct = Buffer.from(content);
    direct[direct.length - 1] = 0;
    expect(await verified(direct)).toMatchObject({ host, isForwarded: false });
  });

  test('that another key has signed is refused', async () => {
    const { data, signature } = keys.sign(keys.make('-t', 'ed25519'), 'session');
    const parts = [keys.blobOf(keys.make('-t', 'ed25519')), data, signature];
    const claimed = read(Buffer.concat([...parts.map(sshString), Buffer.of(0)]));
    await expect(claimed.verify()).rejects.toMatchObject({ kind: 'invalid_params' });
  });

  test('that is cut off, or goes on, is refused', () => {
    for (let at = 0; at < content.length; at += 1) {
      expect(() => read(content.subarray(0, at))).toThrow(SshFormatError);
    }
    expect(() => read(Buffer.concat([content, Buffer.of(0)]))).toThrow(SshFormatError);
  });
});

describe('the sessions of a connection', () => {
  let binds: SessionBinds;
  beforeEach(() => {
    binds = new SessionBinds();
  });
  const bind = (name: string, session: string, isForwarded = true): SessionBind => ({
    ...{ host: `SHA256:${name}`, session, isForwarded },
  });

  test('are bound once: again changes nothing', () => {
    expect(binds.add(bind('one', 'a'))).toBe(true);
    expect(binds.add(bind('one', 'a'))).toBe(false);
    expect(binds.add(bind('one', 'b'))).toBe(true);
  });

  test('are told in their order; without any there is nothing to tell', () => {
    expect(binds.subject).toBeNull();
    binds.add(bind('bastion', '1'));
    binds.add(bind('target', '2', false));
    expect(binds.subject).toBe('host SHA256:bastion (forwarded), host SHA256:target');
  });

  test('the same one again changes nothing', () => {
    binds.add(bind('bastion', '1'));
    binds.add(bind('bastion', '1'));
    expect(binds.subject).toBe('host SHA256:bastion (forwarded)');
  });

  test('a session of another host key is refused', () => {
    binds.add(bind('bastion', '1'));
    expect(() => {
      binds.add(bind('other', '1'));
    }).toThrow(expect.objectContaining({ kind: 'already_exists' }));
  });

  test('where it authenticates there is no way on', () => {
    binds.add(bind('target', '1', false));
    expect(() => {
      binds.add(bind('next', '2'));
    }).toThrow(expect.objectContaining({ kind: 'already_exists' }));
  });

  test('are sixteen at most', () => {
    for (let count = 0; count < 16; count += 1) binds.add(bind('host', String(count)));
    expect(() => {
      binds.add(bind('host', '16'));
    }).toThrow(expect.objectContaining({ kind: 'too_large', details: { limit: 16 } }));
  });

  test('one that could not be recorded is taken back', () => {
    const first = bind('bastion', '1');
    binds.add(first);
    binds.remove(first);
    expect(binds.subject).toBeNull();
  });
});
