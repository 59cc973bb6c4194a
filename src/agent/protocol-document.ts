import type { OpenRpcDocument } from '../api/discovery.ts';
import { version } from '../base/version.ts';
import type { World } from '../base/world.ts';

/**
 * What `rpc.discover` answers. It is loaded and made when it is first asked for, since a start has no use for it, and
 * then kept: making it takes longer than other callers should wait.
 */
export function protocolDocument({ pause }: World): () => Promise<OpenRpcDocument> {
  const make = async (): Promise<OpenRpcDocument> => {
    const { openRpcDocument } = await import('../request/discovery/openrpc.ts');
    return openRpcDocument(version(), () => pause(0));
  };
  let made: Promise<OpenRpcDocument> | null = null;
  return () => (made ??= make());
}
