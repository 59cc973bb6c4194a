import type { OpenRpcDocument } from '../api/discovery.ts';
import { AgentError } from '../base/errors.ts';
import { writtenOnce } from '../base/json-text.ts';
import { version } from '../base/version.ts';
import type { World } from '../base/world.ts';

/** Requests that wait while it is made: all of them are answered at once, with 100 KB each. */
const mostWaiting = 32;

/**
 * What `rpc.discover` answers. It is loaded and made when it is first asked for, since a start has no use for it, and
 * then kept: making it takes longer than other callers should wait. Rejects with `overloaded` where too many ask
 * meanwhile.
 */
export function protocolDocument({ pause }: World): () => Promise<OpenRpcDocument> {
  const make = async (): Promise<OpenRpcDocument> => {
    const { openRpcDocument } = await import('../request/discovery/openrpc.ts');
    return writtenOnce(await openRpcDocument(version(), () => pause(0)));
  };
  let made: OpenRpcDocument | null = null;
  let making: Promise<OpenRpcDocument> | null = null;
  let waiting = 0;
  return async () => {
    if (made !== null) return made;
    if (waiting >= mostWaiting) {
      throw new AgentError(
        'overloaded',
        'the document is being made, and many wait for it: ask again',
      );
    }
    waiting += 1;
    try {
      making ??= make();
      made = await making;
      return made;
    } finally {
      waiting -= 1;
      making = null;
    }
  };
}
