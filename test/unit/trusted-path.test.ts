import {
  chmodSync,
  chownSync,
  lchownSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { readConfig } from '../../src/config/read.ts';
import { requireTrustedParents, requireTrustedPath } from '../../src/files/trusted-path.ts';
import { resolveModulePath } from '../../src/vault/pkcs11/module-path.ts';
import { AgentError } from '../../src/base/errors.ts';

const other = 12_345;
let folder: string;
let above: string;
let file: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'trusted-'));
  above = join(folder, 'above');
  mkdirSync(join(above, 'below'), { recursive: true });
  file = join(above, 'below', 'module.so');
  writeFileSync(file, 'x', { mode: 0o644 });
});
afterEach(() => {
  rmSync(folder, { recursive: true });
});

function refusalBy(look: () => unknown): string {
  try {
    look();
  } catch (failure) {
    if (failure instanceof AgentError) return failure.message;
    throw failure;
  }
  throw new Error('it was not refused');
}

/** What the three of them say, who go by the one rule. */
function refused(path = file): string {
  const message = refusalBy(() => {
    requireTrustedPath(path);
  });
  expect(refusalBy(() => resolveModulePath({ modulePath: path, moduleName: null }))).toBe(message);
  expect(() => readConfig(path, process.geteuid?.() ?? 0)).toThrow(message);
  return message;
}

test('what nobody else may write is taken, in a sticky directory too', () => {
  chmodSync(above, 0o1777);
  requireTrustedPath(file);
  expect(resolveModulePath({ modulePath: file, moduleName: null })).toBe(file);
});

describe('what others could change is refused', () => {
  test('the file is another user’s, or may be written by others', () => {
    chownSync(file, other, 0);
    expect(refused()).toContain(`${file} belongs to uid ${other}`);
    chownSync(file, 0, 0);
    for (const mode of [0o664, 0o646]) {
      chmodSync(file, mode);
      expect(refused()).toContain(`${file} may be written by other users: run chmod go-w`);
    }
  });

  test('a directory above it, however far', () => {
    for (const mode of [0o775, 0o757]) {
      chmodSync(above, mode);
      expect(refused()).toContain(`${above} may be written by other users`);
    }
    chmodSync(above, 0o755);
    chownSync(above, other, 0);
    expect(refused()).toContain(`${above} belongs to uid ${other}`);
  });

  test('a sticky directory has what another user put there', () => {
    chmodSync(above, 0o1777);
    chownSync(join(above, 'below'), other, 0);
    expect(refused()).toContain(`${join(above, 'below')} belongs to uid ${other}`);
  });

  test('a link to it, or a directory that has the link, is another user’s', () => {
    const links = join(folder, 'links');
    mkdirSync(links);
    const link = join(links, 'link.so');
    symlinkSync('../above/below/module.so', link);
    requireTrustedPath(link);
    chmodSync(links, 0o777);
    expect(refused(link)).toContain(`${links} may be written by other users`);
    chmodSync(links, 0o1777);
    requireTrustedPath(link);
    symlinkSync(file, join(links, 'theirs.so'));
    lchownSync(join(links, 'theirs.so'), other, 0);
    expect(refused(join(links, 'theirs.so'))).toContain(`belongs to uid ${other}`);
    // What is behind the link is looked at as well.
    chmodSync(above, 0o777);
    expect(refused(link)).toContain(`${above} may be written by other users`);
  });

  test('a state dir below what others may write, which itself is for the agent to look at', () => {
    const stateDir = join(above, 'below', 'state');
    mkdirSync(stateDir);
    requireTrustedParents(stateDir);
    chmodSync(above, 0o777);
    const message = refusalBy(() => {
      requireTrustedParents(stateDir);
    });
    expect(message).toContain(`${above} may be written by other users`);
  });

  test('links in a circle end', () => {
    symlinkSync('two', join(folder, 'one'));
    symlinkSync('one', join(folder, 'two'));
    expect(() => {
      requireTrustedPath(join(folder, 'one'));
    }).toThrow('too many symbolic links');
  });
});
