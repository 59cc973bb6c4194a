import type { Named } from '../kind-calls.ts';
import type { TokenPlace } from './place.ts';
import { resolveModulePath } from './module-path.ts';
import { failureOf, ok, type Finding } from '../../base/finding.ts';

/** The module as a file: who may write it decides what every vault host of this user runs. */
export function examineModule({ name, uri }: Named<Pick<TokenPlace, 'uri'>>): {
  readonly finding: Finding;
  /** The real path of a module that may be loaded; null for any other. */
  readonly path: string | null;
} {
  const subject = `${name}: module`;
  try {
    const path = resolveModulePath(uri);
    return { finding: ok(subject, `${path} is there, and closed to the writing of others`), path };
  } catch (thrown) {
    return { finding: failureOf(subject, thrown), path: null };
  }
}
