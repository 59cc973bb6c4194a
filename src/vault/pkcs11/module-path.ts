import { readdirSync, realpathSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { AgentError } from '../../base/errors.ts';
import { refusal } from '../../files/ownership.ts';
import { requireTrustedPath } from '../../files/trusted-path.ts';
import type { Pkcs11Uri } from './uri.ts';

/**
 * The shared library that a URI names, as its real path, so that two spellings of one module are one module.
 * `module-name` is looked for where distributions put modules, first found wins: `pkcs11/` and `softhsm/`
 * below `/usr/lib`, its multiarch folders, `/usr/lib64` and `/usr/local/lib`, then those folders themselves.
 *
 * Throws `invalid_params` where the URI names none, `backend_unavailable` where the file is not there, and where others
 * may write it, or could put another in its place.
 */
export function resolveModulePath(uri: Pick<Pkcs11Uri, 'modulePath' | 'moduleName'>): string {
  if (uri.modulePath !== null) {
    return trusted(uri.modulePath, realPath(uri.modulePath)) ?? notFound(uri.modulePath, null);
  }
  const name = uri.moduleName;
  if (name === null) {
    throw new AgentError(
      'invalid_params',
      'PKCS#11 URI: no module named; add ?module-path=/path/of/module.so or ?module-name=NAME',
    );
  }
  const libraries = libraryDirectories();
  const directories = ['pkcs11', 'softhsm', ''].flatMap((below) =>
    libraries.map((directory) => join(directory, below)),
  );
  for (const directory of directories) {
    for (const file of [`lib${name}.so`, `${name}.so`]) {
      const named = join(directory, file);
      const path = trusted(named, realPath(named));
      if (path !== null) return path;
    }
  }
  return notFound(`lib${name}.so`, directories);
}

function libraryDirectories(): string[] {
  return [
    '/usr/lib',
    ...multiarchDirectories(),
    '/usr/lib64',
    '/usr/local/lib',
    '/usr/local/lib64',
  ];
}

/** Debian's `/usr/lib/<triplet>`. */
function multiarchDirectories(): string[] {
  try {
    return readdirSync('/usr/lib')
      .filter((entry) => /-linux-(gnu|musl)/.test(entry))
      .sort()
      .map((entry) => join('/usr/lib', entry));
  } catch {
    return []; // no /usr/lib: then there is none below it either
  }
}

function realPath(path: string): string | null {
  try {
    return realpathSync(path);
  } catch {
    return null; // absent or unreadable; the caller names the path
  }
}

/** It runs with the agent's rights: whoever could change it would have all that the agent has. */
function trusted(named: string, real: string | null): string | null {
  if (real === null) return null;
  if (!statSync(real).isFile()) throw refusal(real, 'is not a regular file');
  requireTrustedPath(named);
  return real;
}

function notFound(file: string, directories: readonly string[] | null): never {
  const where = directories === null ? '' : ` in any of ${directories.join(', ')}`;
  throw new AgentError(
    'backend_unavailable',
    `PKCS#11 module ${file} was not found${where}; install it, or correct module-path`,
  );
}
