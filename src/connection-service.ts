import { Caller } from './access/caller.ts';
import type { PeerCredentials } from './access/principal.ts';
import { handle, type RequestContext } from './handle.ts';
import { executableOf } from './native/executable.ts';
import type { Libc } from './native/libc.ts';
import type { Service } from './socket/connection.ts';

/** Who has no scope needs no long lines, and a thousand connections of his no long buffers. Bytes. */
const strangersFrame = 4096;

/** One connection: who has called, and what he may send. */
export function connectionService(
  peer: PeerCredentials,
  context: RequestContext,
  libc: Libc,
): Service {
  const executable = executableOf(peer.pid);
  const caller = new Caller({ ...peer, name: libc.userName(peer.uid), executable });
  const { access } = context;
  return {
    answer: (frame) => handle(frame, caller, context),
    get maxFrameBytes() {
      return access.grantOrNone(caller).principal.scope === 'none' ? strangersFrame : null;
    },
    closed: () => {
      access.forget(caller);
    },
  };
}
