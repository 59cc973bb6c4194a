import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { errnoName } from '../../src/base/errors.ts';
import { openLibc } from '../../src/native/libc.ts';

const libc = openLibc();
let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'libc-'));
});
afterEach(() => {
  rmSync(directory, { recursive: true });
});

/** The errno with which `call` fails, null where it does not. */
function errnoOf(call: () => unknown): string | null {
  try {
    call();
    return null;
  } catch (error) {
    return errnoName(error);
  }
}

describe('names', () => {
  it('agree with what id says', () => {
    const self = process.getuid?.() ?? 0;
    expect(libc.userName(self)).toBe(execFileSync('id', ['-un'], { encoding: 'utf8' }).trim());
    const group = execFileSync('id', ['-gn'], { encoding: 'utf8' }).trim();
    expect(libc.groupId(group)).toBe(process.getgid?.());
    expect(libc.userId(libc.userName(self) ?? '')).toBe(self);
    const other = Number(execFileSync('id', ['-u', 'nobody'], { encoding: 'utf8' }));
    expect(libc.userId('nobody')).toBe(other);
    expect(libc.userName(other)).toBe('nobody');
  });

  it('are null where there are none', () => {
    expect(libc.userName(3_999_999_999)).toBeNull();
    expect(libc.groupId('no such group')).toBeNull();
    expect(libc.groupId('root\0')).toBeNull();
    expect(libc.userId('no such user')).toBeNull();
    expect(libc.userId('')).toBeNull();
    expect(libc.userId('root\0x')).toBeNull();
  });
});

describe('locks', () => {
  it('exclude another descriptor until unlocked', () => {
    const [one, two] = [openSync(directory, 'r'), openSync(directory, 'r')];
    expect(libc.tryLock(one)).toBe(true);
    expect(libc.tryLock(two)).toBe(false);
    libc.unlock(one);
    expect(libc.tryLock(two)).toBe(true);
    closeSync(one);
    closeSync(two);
  });

  it('fail with the name of the errno', () => {
    expect(errnoOf(() => libc.tryLock(-1))).toBe('EBADF');
  });
});

describe('peerCredentials', () => {
  it('fails on what is no socket', () => {
    const fd = openSync(directory, 'r');
    expect(errnoOf(() => libc.peerCredentials(fd))).toBe('ENOTSOCK');
    closeSync(fd);
  });
});

describe('notify', () => {
  it('sends one datagram', async () => {
    const address = join(directory, 'notify.sock');
    const receiver = spawn('nc', ['-k', '-l', '-u', '-U', address], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const send = (): void => {
      libc.notify(address, 'READY=1');
    };
    // Until the receiver has bound its socket.
    for (let errno = errnoOf(send); errno !== null; errno = errnoOf(send)) {
      expect(['ENOENT', 'ECONNREFUSED']).toContain(errno);
      await new Promise(setImmediate);
    }
    const [said] = (await once(receiver.stdout, 'data')) as [Buffer];
    expect(said.toString()).toBe('READY=1');
    receiver.kill();
    await once(receiver, 'exit');
  });

  it('refuses what is no address, and says when nobody listens', () => {
    const send = (address: string) => () => {
      libc.notify(address, 'READY=1');
    };
    expect(send('relative')).toThrow('neither an absolute path');
    expect(send('@')).toThrow('1 to 107 bytes');
    expect(send(`/${'x'.repeat(200)}`)).toThrow('1 to 107 bytes');
    expect(errnoOf(send(`@${directory}`))).toBe('ECONNREFUSED');
  });
});

describe('refuseCoreDumps', () => {
  it('leaves no core limit to raise', () => {
    libc.refuseCoreDumps();
    expect(readFileSync('/proc/self/limits', 'utf8')).toMatch(/Max core file size +0 +0 /);
  });
});
