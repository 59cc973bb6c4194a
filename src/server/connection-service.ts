import { Caller } from '../access/caller.ts';
import type { PeerCredentials } from '../native/peer-credentials.ts';
import { handle, type RequestContext } from '../request/handle.ts';
import type { Asked, Protocol } from '../request/protocol.ts';
import { executableOf } from '../native/executable.ts';
import type { Libc } from '../native/libc.ts';
import type { Service } from './socket/connection.ts';

/** Who has no scope needs no long requests, and a thousand connections of his no long buffers. Bytes. */
const strangersFrame = 4096;

/** One connection: who has called, and what he may send. */
export function connectionService<Request extends Asked, Answer>(
  peer: PeerCredentials,
  context: RequestContext,
  libc: Libc,
  protocol: Protocol<Request, Answer>,
): Service<Answer> {
  const executable = executableOf(peer.pid);
  const caller = new Caller({ ...peer, name: libc.userName(peer.uid), executable });
  const { access } = context;
  return {
    answer: (frame) => handle(frame, caller, context, protocol),
    get maxFrameBytes() {
      return access.grantOrNone(caller).principal.scope === 'none' ? strangersFrame : null;
    },
    closed: () => {
      access.forget(caller);
    },
  };
}
