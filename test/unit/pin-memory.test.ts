import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { PinMemory } from '../../src/vault/pins/pin-memory.ts';
import { Clock, worldWith } from '../support/world.ts';

let dir: string;
let path: string;
const clock = new Clock();
const at = new Date(clock.now()).toISOString();
const incorrect = { kind: 'incorrect', reason: 'CKR_PIN_INCORRECT' } as const;
const wrong = Buffer.from('0000wrong');
const other = Buffer.from('another');

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'pin-memory-'));
  path = join(dir, 'prod.pin-refused.json');
});
afterEach(() => {
  rmSync(dir, { recursive: true, force: true });
});

/** As a process that was started now. */
const memory = (keyring = 'prod', token = 'A'): PinMemory =>
  new PinMemory(path, keyring, token, worldWith(clock));

describe('the memory of refused PINs', () => {
  it('is empty, and no file, before anything was refused', async () => {
    expect(memory().closed).toBeNull();
    expect(memory().refusalNow(wrong)).toBeNull();
    expect(await memory().refusalOf(wrong)).toBeNull();
    await memory().forget();
    expect(() => statSync(path)).toThrow('ENOENT');
  });

  it('knows every refused PIN again, through restarts, and no other', async () => {
    await memory().remember(wrong, incorrect);
    await memory().remember(Buffer.from('second'), {
      kind: 'incorrect',
      reason: 'CKR_PIN_INVALID',
    });
    await memory().remember(wrong, incorrect);
    expect(memory().refusalNow(wrong)).toEqual({ at, reason: 'CKR_PIN_INCORRECT' });
    expect(await memory().refusalOf(Buffer.from('second'))).toEqual({
      at,
      reason: 'CKR_PIN_INVALID',
    });
    expect(memory().refusalNow(other)).toBeNull();
    expect(await memory().refusalOf(other)).toBeNull();
    expect(memory().closed).toBeNull();
    const { refused } = JSON.parse(readFileSync(path, 'utf8')) as { refused: unknown[] };
    expect(refused).toHaveLength(2);
  });

  it('is closed to others and holds no PIN', async () => {
    await memory().remember(wrong, incorrect);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    const text = readFileSync(path, 'utf8');
    for (const form of ['utf8', 'hex', 'base64', 'base64url'] as const) {
      expect(text).not.toContain(wrong.toString(form));
    }
  });

  it('has a key of its own: the same PIN leaves another digest', async () => {
    const digests: unknown[] = [];
    for (let round = 0; round < 2; round += 1) {
      await memory().remember(wrong, incorrect);
      digests.push((JSON.parse(readFileSync(path, 'utf8')) as { refused: unknown[] }).refused[0]);
      rmSync(path);
    }
    expect(digests[0]).not.toEqual(digests[1]);
  });

  it('says nothing of another token that the keyring is given', async () => {
    await memory('prod', 'A').remember(wrong, { kind: 'incorrect', reason: 'CKR_PIN_INCORRECT' });
    expect(memory('prod', 'B').refusalNow(wrong)).toBeNull();
    await memory('prod', 'B').remember(wrong, { kind: 'closed', reason: 'CKR_PIN_LOCKED' });
    expect(memory('prod', 'A').closed).toBeNull();
    await memory('prod', 'B').forget();
    expect(memory('prod', 'B').closed).toBeNull();
    expect(memory('prod', 'A').refusalNow(wrong)).toMatchObject({ reason: 'CKR_PIN_INCORRECT' });
  });

  it('counts logins that were cut off by token', async () => {
    await memory('prod', 'A').begin(false);
    await memory('prod', 'A').begin(false);
    expect(memory('prod', 'A').cutOff).toMatchObject({ times: 2 });
    expect(memory('prod', 'B').cutOff).toBeNull();
    await memory('prod', 'B').begin(false);
    expect(memory('prod', 'B').cutOff).toMatchObject({ times: 1 });
  });

  it('knows that the token takes none at all', async () => {
    await memory().remember(wrong, { kind: 'closed', reason: 'CKR_PIN_LOCKED' });
    expect(memory().closed).toEqual({ at, reason: 'CKR_PIN_LOCKED' });
    expect(memory().refusalNow(wrong)).toBeNull();
  });

  it('is emptied by a PIN that was right, and begun again by a wrong one', async () => {
    await memory().remember(wrong, incorrect);
    await memory().remember(wrong, { kind: 'closed', reason: 'CKR_PIN_LOCKED' });
    await memory().forget();
    expect(memory().refusalNow(wrong)).toBeNull();
    expect(memory().closed).toBeNull();
    const { mtimeNs } = statSync(path, { bigint: true });
    await memory().forget();
    expect(statSync(path, { bigint: true }).mtimeNs).toBe(mtimeNs);
    await memory().remember(wrong, incorrect);
    expect(memory().refusalNow(wrong)).not.toBeNull();
  });

  it('keeps what two remember at the same time', async () => {
    const [one, two] = [memory(), memory()];
    await Promise.all([one.remember(wrong, incorrect), two.remember(other, incorrect)]);
    expect(memory().refusalNow(wrong)).not.toBeNull();
    expect(memory().refusalNow(other)).not.toBeNull();
  });

  it('is remembered by this process where it cannot be written', async () => {
    const here = memory();
    rmSync(dir, { recursive: true });
    await expect(here.remember(wrong, incorrect)).rejects.toMatchObject({
      kind: 'backend_unavailable',
    });
    await expect(
      here.remember(other, { kind: 'closed', reason: 'CKR_PIN_LOCKED' }),
    ).rejects.toThrow(dir);
    expect(here.refusalNow(wrong)).toEqual({ at, reason: 'CKR_PIN_INCORRECT' });
    expect(here.closed).not.toBeNull();
  });
});

describe('a file that does not say what was refused', () => {
  const good = {
    version: 1,
    keyring: 'prod',
    key_b64: 'A'.repeat(43),
    refused: [] as unknown[],
  };
  const broken: [string, string][] = [
    ['empty', ''],
    ['no JSON', '{"version": 1, "keyring": "pr'],
    ['no object', '[]'],
    ['of another version', JSON.stringify({ ...good, version: 2 })],
    ["another keyring's", JSON.stringify({ ...good, keyring: 'ci' })],
    ['without a key', JSON.stringify({ ...good, key_b64: 'AAAA' })],
    [
      'with a digest too short',
      JSON.stringify({ ...good, refused: [{ digest_b64: 'AAAA', at, reason: '' }] }),
    ],
    ['with more in it', JSON.stringify({ ...good, more: 1 })],
  ];

  it.each(broken)('is refused where it is %s', async (_, text) => {
    writeFileSync(path, text, { mode: 0o600 });
    for (const look of [() => memory().closed, () => memory().refusalNow(other)]) {
      expect(look).toThrow(expect.objectContaining({ kind: 'locked' }));
      expect(look).toThrow(path);
      expect(look).toThrow('agentctl unlock --keyring prod --again');
    }
    await expect(memory().refusalOf(other)).rejects.toMatchObject({ kind: 'locked' });
    expect(readFileSync(path, 'utf8')).toBe(text);
  });

  it('is refused by name where others could have written it', () => {
    writeFileSync(path, JSON.stringify(good), { mode: 0o600 });
    expect(memory().closed).toBeNull();
    chmodSync(path, 0o620);
    expect(() => memory().closed).toThrow(`chmod 600 ${path}`);
  });

  it('lets nothing be tried by itself once another PIN was refused over it', async () => {
    writeFileSync(path, '{', { mode: 0o600 });
    await memory().remember(wrong, incorrect);
    expect(memory().refusalNow(wrong)).not.toBeNull();
    expect(memory().closed).toMatchObject({ reason: 'what it refused before was lost' });
  });

  it('is replaced by a PIN that was right', async () => {
    writeFileSync(path, '{', { mode: 0o600 });
    await memory().forget();
    expect(memory().closed).toBeNull();
  });
});
