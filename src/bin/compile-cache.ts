import { lstatSync, mkdirSync } from 'node:fs';
import * as nodeModule from 'node:module';
import { userInfo } from 'node:os';
import { join } from 'node:path';

/** Node.js 22.1 and later. */
interface CompileCache {
  readonly enableCompileCache?: (directory: string) => unknown;
}

/**
 * V8's compiled code of what is loaded from now on is kept in the user's own cache folder, where Node can: a third of
 * what a short command takes. What lies there is run as it is, so it is used only where nobody else may write, and
 * never by a path of the environment, which another user may have set (sudo -E). Without one everything is compiled.
 */
export function keepCompiledCode(): void {
  const { enableCompileCache } = nodeModule as CompileCache;
  if (enableCompileCache === undefined) return;
  const directory = ownCache(userInfo);
  if (directory !== null) enableCompileCache(directory);
}

/** The folder below that home, made where it is missing; null where there is none, or others may write on its way. */
export function ownCache(
  who: () => { readonly homedir: string; readonly uid: number },
): string | null {
  try {
    const { homedir, uid } = who();
    const caches = join(homedir, '.cache');
    const directory = join(caches, 'signing-agent', 'compiled');
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    const path = [homedir, caches, join(caches, 'signing-agent'), directory];
    return path.every((folder) => isOwn(folder, uid)) ? directory : null;
  } catch {
    return null; // no home, or one that cannot be written
  }
}

function isOwn(folder: string, uid: number): boolean {
  const found = lstatSync(folder);
  return found.isDirectory() && found.uid === uid && (found.mode & 0o022) === 0;
}
