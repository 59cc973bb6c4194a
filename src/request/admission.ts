import type { Admission } from './handle.ts';
import type { Services } from './services.ts';
import type { Queue } from './queue.ts';

/** The agent's queue of requests, with what `status` counts of them. */
export function admission(queue: Queue, counters: { requests: number; errors: number }): Admission {
  return {
    enter({ share }) {
      counters.requests += 1;
      try {
        queue.enter(share);
      } catch (refusal) {
        counters.errors += 1;
        throw refusal;
      }
    },
    leave({ share }, failed) {
      queue.leave(share);
      if (failed) counters.errors += 1;
    },
  };
}

/** The agent's queue of signatures, likewise. */
export function signing(queue: Queue, counters: { signatures: number }): Services['signing'] {
  return async ({ share }, signatures, make) => {
    queue.enter(share, signatures);
    try {
      const made = await make();
      counters.signatures += signatures;
      return made;
    } finally {
      queue.leave(share, signatures);
    }
  };
}
