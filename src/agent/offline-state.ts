import type { World } from '../base/world.ts';
import { ensurePrivateDir } from '../files/checked-dir.ts';
import { lockStateDir } from '../files/state-dir-lock.ts';
import type { Libc } from '../native/libc.ts';
import { StateManifest } from './state-manifest.ts';

export interface OfflineState {
  readonly stateDir: string;
  readonly world: Pick<World, 'files' | 'randomBytes' | 'log'>;
  readonly libc: Libc;
}

/**
 * Works on a state dir, made where it is missing, and keeps agents away meanwhile. Throws AlreadyRunningError where one
 * runs; rejects as `StateManifest.open` and as `work` do.
 */
export async function withOfflineState<T>(
  { stateDir, world, libc }: OfflineState,
  work: (manifest: StateManifest) => Promise<T>,
): Promise<T> {
  ensurePrivateDir(stateDir);
  const lock = lockStateDir(stateDir, libc);
  try {
    const manifest = await StateManifest.open(stateDir, world);
    try {
      return await work(manifest);
    } finally {
      await manifest.close();
    }
  } finally {
    lock.release();
  }
}
