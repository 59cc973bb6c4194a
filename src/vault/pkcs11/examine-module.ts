import { statSync } from 'node:fs';
import type { Named } from '../kind-calls.ts';
import type { TokenPlace } from './place.ts';
import { effectiveUid, refusal, requireTrustedParent } from '../../files/ownership.ts';
import { resolveModulePath } from './module-path.ts';
import { failureOf, ok, type Finding } from '../../base/finding.ts';

const writableByGroupOrOthers = 0o022;

/** The module as a file: who may write it decides what every vault host of this user runs. */
export function examineModule({ name, uri }: Named<Pick<TokenPlace, 'uri'>>): {
  readonly finding: Finding;
  /** The real path of a module that may be loaded; null for any other. */
  readonly path: string | null;
} {
  const subject = `${name}: module`;
  try {
    const path = resolveModulePath(uri);
    requireTrustedFile(path);
    return { finding: ok(subject, `${path} is there, and closed to the writing of others`), path };
  } catch (thrown) {
    return { finding: failureOf(subject, thrown), path: null };
  }
}

function requireTrustedFile(path: string): void {
  const inode = statSync(path);
  if (!inode.isFile()) throw refusal(path, 'is not a regular file');
  if (inode.uid !== 0 && inode.uid !== effectiveUid()) {
    throw refusal(path, `belongs to uid ${inode.uid}: chown it to root`);
  }
  if ((inode.mode & writableByGroupOrOthers) !== 0) {
    throw refusal(path, `may be written by others: run chmod go-w ${path}`);
  }
  requireTrustedParent(path);
}
