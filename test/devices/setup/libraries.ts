import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

/** The first of these files below a folder of libraries (`/usr/lib/<machine>/`) or `/usr/lib` itself; null: none. */
export function libraryPath(names: readonly string[], root = '/'): string | null {
  const folder = join(root, 'usr/lib');
  const machines = readdirSync(folder).filter((name) => name.includes('-linux-'));
  for (const name of names) {
    for (const machine of [...machines, '.']) {
      const path = join(folder, machine, name);
      if (existsSync(path)) return path;
    }
  }
  return null;
}
