import { join } from 'node:path';
import { describeFailure } from '../base/errors.ts';
import type { World } from '../base/world.ts';

/** How often it is seen to that all of it is there, milliseconds. */
const interval = 60_000;

/**
 * Holds space in reserve in the state dir, for all that is on its file system, so that what takes something back is done
 * on a disk that others have filled. Answers what ends the looking after it.
 */
export function holdReserve(
  stateDir: string,
  { files, schedule, log }: Pick<World, 'files' | 'schedule' | 'log'>,
): () => void {
  const dir = join(stateDir, 'reserve');
  let isTold = false;
  let cancel = (): void => undefined;
  const look = (): void => {
    try {
      files.holdReserve(dir);
    } catch (failure) {
      // An agent without it still takes things back wherever there is room.
      const reason = describeFailure(failure);
      if (!isTold) log.warn({ dir, reason }, 'no space is held in reserve');
      isTold = true;
    }
    cancel = schedule(interval, look);
  };
  look();
  return () => {
    cancel();
  };
}
