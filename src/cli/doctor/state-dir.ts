import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { errnoName } from '../../errors.ts';
import { lstatOrNull, refusal, requirePrivate } from '../../state/ownership.ts';
import { lookedAt, ok, warning, type Finding } from './finding.ts';

/** The state dir, its folder of keyrings, and the files that the agent has in both. */
export function checkStateDir(stateDir: string): readonly Finding[] {
  const keyrings = join(stateDir, 'keyrings');
  const findings = [directory('state dir', stateDir), directory('keyrings', keyrings)];
  if (findings.some(({ state }) => state === 'failure')) return findings;
  const files = [join(stateDir, 'lock'), ...filesIn(keyrings)];
  return [...findings, ...files.flatMap((path) => fileFault(path))];
}

function directory(subject: string, path: string): Finding {
  return lookedAt(subject, () => {
    const inode = lstatOrNull(path);
    if (inode === null) {
      return warning(subject, `${path} is not there: the agent makes it when it starts`);
    }
    if (inode.isSymbolicLink()) {
      throw refusal(path, 'is a symbolic link: give the directory itself');
    }
    if (!inode.isDirectory()) throw refusal(path, 'is not a directory');
    requirePrivate(path, inode, '700');
    return ok(subject, `${path} is open to this user alone`);
  });
}

/** Files that are well are not worth a line each. */
function fileFault(path: string): readonly Finding[] {
  const finding = lookedAt('state files', () => {
    const inode = lstatOrNull(path);
    if (inode === null) return ok('state files', '');
    if (!inode.isFile()) throw refusal(path, 'is not a regular file');
    requirePrivate(path, inode, '600');
    return ok('state files', '');
  });
  return finding.state === 'ok' ? [] : [finding];
}

function filesIn(path: string): readonly string[] {
  try {
    return readdirSync(path).map((name) => join(path, name));
  } catch (thrown) {
    if (errnoName(thrown) === 'ENOENT') return [];
    throw thrown;
  }
}
