import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

/** A library below a root's `/usr/lib/<machine>/`; null where it is not there. */
export function libraryIn(root, name) {
  const folder = join(root, 'usr/lib');
  if (!existsSync(folder)) return null;
  const machines = readdirSync(folder).filter((entry) => entry.includes('-linux-'));
  const paths = machines.map((machine) => join(folder, machine, name));
  return paths.find((path) => existsSync(path)) ?? null;
}
