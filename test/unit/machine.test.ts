import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { machineFingerprint } from '../../src/native/machine.ts';

const dir = mkdtempSync(join(tmpdir(), 'machine-'));
const path = join(dir, 'machine-id');
afterAll(() => {
  rmSync(dir, { recursive: true });
});

function of(content: string): string | null {
  writeFileSync(path, content);
  return machineFingerprint(path);
}

describe('the fingerprint of a machine', () => {
  const id = '0123456789abcdef0123456789abcdef';

  it('is a hash over its id and our label, which does not show the id', () => {
    const hash = createHash('sha256').update(`signing-agent/machine/v1\n${id}`).digest('hex');
    expect(of(`${id}\n`)).toBe(hash);
    expect(of(id)).toBe(hash);
    expect(of(id.replace('0', '1'))).not.toBe(hash);
  });

  it.each([
    ['nothing', ''],
    ['an empty line', '\n'],
    ['no id yet', 'uninitialized\n'],
    ['too few digits', `${id.slice(1)}\n`],
    ['too many', `${id}0\n`],
    ['other characters', `${id.slice(1)}g\n`],
    ['two lines', `${id}\n${id}\n`],
  ])('is not known from %s', (_, content) => {
    expect(of(content)).toBeNull();
  });

  it('is not known without a file', () => {
    expect(machineFingerprint(join(dir, 'none'))).toBeNull();
    expect(machineFingerprint(dir)).toBeNull();
  });
});
