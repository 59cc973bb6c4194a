import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Release } from '../device.ts';
import { cacheFolder } from './yubihsm.ts';

const inRoot = fileURLToPath(new URL('./in-root', import.meta.url));

/** Another release of Debian, built by scripts/debian-root. */
export interface DebianRoot {
  readonly path: string;
  /** Words before a command that is to run in it. */
  readonly launcher: readonly string[];
}

export function debianRoot(release: Exclude<Release, 'installed'>): DebianRoot {
  const path = join(cacheFolder(), 'roots', release);
  return { path, launcher: [inRoot, path] };
}

/** Says why nothing can run in it; null: it can. */
export function rootUnavailable(release: Exclude<Release, 'installed'>): string | null {
  if (existsSync(join(debianRoot(release).path, '.complete'))) return null;
  return `there is no root of ${release}: scripts/debian-root ${release} builds it`;
}
