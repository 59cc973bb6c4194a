import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import {
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { auditRecords, verdictOf } from '../support/audit-chain.ts';
import { InProcessAgent } from '../support/in-process-agent.ts';
import { LineClient, type Answer } from '../support/line-client.ts';
import { makeToken, type SoftHsmToken } from '../support/softhsm.ts';

/** Real file systems, which others fill to the last byte and go on filling. */
const fileSystems = {
  tmpfs: (dir: string) => {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=24m,mode=0700', 'tmpfs', dir]);
  },
  ext4: (dir: string) => {
    const image = `${dir}.img`;
    execFileSync('truncate', ['-s', '32M', image]);
    execFileSync('mkfs.ext4', ['-q', '-F', image]);
    execFileSync('mount', ['-o', 'loop', image, dir]);
    execFileSync('chmod', ['0700', dir]);
  },
};

let token: SoftHsmToken;
let folder: string;
let disk: string;
let running: InProcessAgent;
let client: LineClient;
let fire: ChildProcess | null;

beforeEach(async () => {
  token = await makeToken('test');
  token.use();
  folder = mkdtempSync(join(tmpdir(), 'full-disk-'));
  disk = join(folder, 'disk');
  mkdirSync(disk);
  fire = null;
});
afterEach(async () => {
  await ceaseFire();
  client.close();
  await running.remove();
  execFileSync('umount', [disk]);
  rmSync(folder, { recursive: true });
  await token.remove();
});

/** Keys in a file, and keys in a token whose records are on that disk. */
async function start(): Promise<void> {
  const uri = token.uri.replace(/&?pin-source=[^&]*/, '');
  running = await new InProcessAgent(
    `[audit]\n[keyrings.default]\n[keyrings.prod]\nbackend = "pkcs11"\nuri = "${uri}"\n`,
  ).start(join(disk, 'state'));
  client = await LineClient.open(running.socket);
}

/** To the last byte, and whatever is given back is taken at once. */
function openFire(): void {
  const fd = openSync(join(disk, 'filler'), 'a');
  for (let size = 1 << 20; size >= 1; size /= 2) {
    try {
      for (;;) writeSync(fd, Buffer.alloc(size));
    } catch (failure) {
      expect((failure as NodeJS.ErrnoException).code).toBe('ENOSPC');
    }
  }
  closeSync(fd);
  const script = 'while :; do cat /dev/zero >> fire; done';
  fire = spawn('sh', ['-c', script], { cwd: disk, stdio: 'ignore', detached: true });
}

async function ceaseFire(): Promise<void> {
  if (fire?.pid === undefined) return;
  const ended = once(fire, 'exit');
  process.kill(-fire.pid, 'SIGKILL');
  await ended;
  fire = null;
}

const kindOf = ({ error }: Answer): string | undefined => error?.data.kind;

describe.each(Object.entries(fileSystems))('on %s that others have filled', (_, mount) => {
  test('what takes something back is recorded and done, and nothing else', async () => {
    mount(disk);
    await start();
    const pin = readFileSync(token.pinFile, 'utf8').trim();
    expect(await client.call('unlock', { keyring: 'prod', pin })).toHaveProperty('result');
    const ids = ['one', 'two'];
    for (const id of ids) {
      expect(await client.call('apikey_create', { id, scope: 'app' })).toHaveProperty('result');
    }
    for (const keyring of ['default', 'prod']) {
      await client.call('rotate', { keyring, grace_seconds: 3600 });
    }
    openFire();
    // The space that the file has already goes to signatures first.
    let signed: Answer;
    do signed = await client.call('sign', { message_b64: 'aGVsbG8' });
    while (signed.error === undefined);
    expect(kindOf(signed)).toBe('audit_unavailable');
    expect(kindOf(await client.call('rotate', { grace_seconds: 60 }))).toBe('audit_unavailable');

    const revoked: unknown[] = [];
    for (const keyring of ['default', 'prod']) {
      const { result } = await client.call('list_valid_pubkeys', { keyring });
      for (const { kid } of (result?.['keys'] as { kid: string }[]).toReversed()) {
        const answer = await client.call('revoke', { keyring, kid });
        expect(answer.error).toBeUndefined();
        revoked.push(kid);
      }
    }
    for (const id of ids) {
      expect((await client.call('apikey_revoke', { id })).error).toBeUndefined();
    }
    for (let times = 0; times < 3; times += 1) {
      expect((await client.call('lock', { keyring: 'prod' })).error).toBeUndefined();
      expect((await client.call('unlock', { keyring: 'prod', pin })).error).toBeUndefined();
    }

    await ceaseFire();
    await running.stop();
    const records = auditRecords(join(disk, 'state', 'audit'));
    const done = records.filter(({ outcome, of }) => outcome === 'done' && of !== null);
    expect(done.map(({ method }) => method).slice(-12)).toEqual([
      ...Array<string>(4).fill('revoke'),
      ...Array<string>(2).fill('apikey_revoke'),
      ...['lock', 'unlock', 'lock', 'unlock', 'lock', 'unlock'],
    ]);
    expect(verdictOf(join(disk, 'state', 'audit')).valid).toBe(true);

    // With room again, everything is as it was left.
    rmSync(join(disk, 'filler'));
    rmSync(join(disk, 'fire'));
    await start();
    await client.call('unlock', { keyring: 'prod', pin });
    for (const keyring of ['default', 'prod']) {
      const { result } = await client.call('list_keys', { keyring });
      const keys = result?.['keys'] as { kid: string; state: string }[];
      const states = keys.filter(({ kid }) => revoked.includes(kid)).map(({ state }) => state);
      expect(states).toEqual(['revoked', 'revoked']);
    }
    expect((await client.call('apikey_list')).result?.['keys']).toEqual([]);
  });

  test('an agent starts again, and takes back what it is told to', async () => {
    mount(disk);
    await start();
    expect(await client.call('apikey_create', { id: 'one', scope: 'app' })).toHaveProperty(
      'result',
    );
    openFire();
    for (let times = 0; times < 3; times += 1) {
      await running.stop();
      client.close();
      await running.start(join(disk, 'state'));
      client = await LineClient.open(running.socket);
    }
    const { result } = await client.call('active_key_id');
    expect((await client.call('revoke', { kid: result?.['kid'] })).error).toBeUndefined();
    expect((await client.call('apikey_revoke', { id: 'one' })).error).toBeUndefined();
    await ceaseFire();
    await running.stop();
    expect(verdictOf(join(disk, 'state', 'audit')).valid).toBe(true);
  });
});
