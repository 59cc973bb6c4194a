import { Caller } from '../../access/caller.ts';
import { AgentError } from '../../base/errors.ts';
import type { Peer, ProcessPeer } from '../../access/principal.ts';
import type { PeerCredentials } from '../../native/peer-credentials.ts';
import { handle, type RequestContext } from '../../request/handle.ts';
import type { Asked, Protocol } from '../../request/protocol.ts';
import { executableOf } from '../../native/executable.ts';
import type { Libc } from '../../native/libc.ts';
import type { FrameHandler } from '../socket/frame-handler.ts';

/** A caller without a scope needs no long requests, and a thousand connections of one no long buffers. Bytes. */
const strangersFrame = 4096;

/** The requests of one connection: who has called, and what may be sent on it. */
export function requestHandler<Request extends Asked, Answer>(
  peer: Peer,
  context: RequestContext,
  protocol: Protocol<Request, Answer>,
): FrameHandler<Answer> {
  const caller = new Caller(peer);
  const { access, shares } = context;
  return {
    answer: (frame) => handle(frame, caller, context, protocol),
    unfinished: (frame) => {
      const decoded = protocol.decode(frame);
      return 'refusal' in decoded ? decoded.refusal : protocol.error(decoded.request, unfinished());
    },
    get share() {
      return shares.of(caller);
    },
    get maxFrameBytes() {
      return access.grantOrNone(caller).principal.scope === 'none' ? strangersFrame : null;
    },
    closed: () => {
      access.forget(caller);
    },
  };
}

/** The process at the other end of a Unix socket. Throws where the account database fails. */
export function processPeer(
  credentials: PeerCredentials,
  accounts: Pick<Libc, 'userName'>,
): ProcessPeer {
  const { uid, pid } = credentials;
  const name = accounts.userName(uid);
  return { kind: 'process', ...credentials, name, executable: executableOf(pid) };
}

function unfinished(): AgentError {
  return new AgentError(
    'shutting_down',
    'the agent stops, and this was not done in time: a change may have been made all the same, so look before it is ' +
      'asked for again',
  );
}
