import type { Caller } from '../access/caller.ts';
import { AgentError, describeFailure } from '../base/errors.ts';
import type { Admission } from './handle.ts';
import type { Services } from './services.ts';
import type { Queue } from './queue.ts';

/** The agent's queue of requests, with what `status` counts of them. */
export function admission(
  queue: Queue,
  counters: { requests: number; errors: number },
  isOwn: (caller: Caller) => boolean,
): Admission & {
  /** From now on nobody is let in: the answer is `shutting_down`. What is inside stays. */
  close(): void;
} {
  let isClosed = false;
  return {
    close() {
      isClosed = true;
    },
    enter(caller) {
      counters.requests += 1;
      try {
        if (isClosed) throw notBegun();
        queue.enter(caller.share, { isOwn: isOwn(caller) });
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
export function signing(
  queue: Queue,
  counters: { signatures: number },
  isOwn: (caller: Caller) => boolean,
): Services['signing'] {
  return (caller, signatures, make) => {
    const { share } = caller;
    queue.enter(share, { count: signatures, isOwn: isOwn(caller) });
    const leave = (): void => {
      queue.leave(share, signatures);
    };
    return made(make).then(
      (result) => {
        counters.signatures += signatures;
        leave();
        return result;
      },
      (failure: unknown) => {
        leave();
        throw failure;
      },
    );
  };
}

/** As `make` does; what it throws is a rejection. */
function made<T>(make: () => Promise<T>): Promise<T> {
  try {
    return make();
  } catch (failure) {
    return Promise.reject(failure instanceof Error ? failure : new Error(describeFailure(failure)));
  }
}

function notBegun(): AgentError {
  return new AgentError('shutting_down', 'the agent stops: nothing was done');
}
