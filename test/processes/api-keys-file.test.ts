import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { bundled } from '../support/bundled.ts';
import { entryOf } from '../../src/access/api-keys-format.ts';
import { ApiKeysFile } from '../../src/access/api-keys-file.ts';
import { openLibc } from '../../src/native/libc.ts';
import { Clock, worldWith } from '../support/world.ts';
import { noLedgers } from '../support/ledgers.ts';

const writer = bundled(new URL('../support/api-keys-writer.js', import.meta.url));

let dir: string;
let file: ApiKeysFile;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'api-keys-'));
  file = new ApiKeysFile(dir, {
    ...{ libc: openLibc(), world: worldWith(new Clock()) },
    ledger: noLedgers.apiKeys,
  });
});
afterEach(() => {
  rmSync(dir, { recursive: true, force: true });
});

const entry = (id: string, note: string) =>
  entryOf({
    id,
    hash: `sha256:${'00'.repeat(32)}`,
    scope: 'app',
    created_at: '2026-05-14T17:55:00Z',
    note,
  });

describe('fifty processes', () => {
  it('change the file 2000 times, and nothing is lost', async () => {
    await file.change(
      () => ({ document: { entries: [entry('shared', '0')] }, result: 0 }),
      () => 0,
    );
    const changes = 40;
    const made = Array.from({ length: 50 }, (_, number) => [
      `w${number}-20`,
      `w${number}-40`,
    ]).flat();
    const writers = Array.from({ length: 50 }, async (_, number) => {
      const child = spawn(process.execPath, [writer, dir, `w${number}`, String(changes)], {
        stdio: ['ignore', 'inherit', 'inherit'],
      });
      const [code] = (await once(child, 'exit')) as [number | null];
      expect(code).toBe(0);
    });
    await Promise.all(writers);
    const { entries } = file.load();
    // See the script: keys that were made, made and revoked, and one number that all have counted up.
    const own = entries.map(({ id }) => id).filter((id) => id !== 'shared');
    expect(own.sort()).toEqual(made.sort());
    expect(entries.find(({ id }) => id === 'shared')?.key?.note).toBe(String(50 * 34));
  });
});
