import type { Socket } from 'node:net';
import type { Logger } from 'pino';
import type { Share } from '../../access/share.ts';
import type { FrameHandler } from './frame-handler.ts';
import type { FrameScheduler } from './frame-scheduler.ts';
import type { Framing } from './framing.ts';
import type { Lanes } from './lanes.ts';
import type { SocketLimits } from './limits.ts';
import type { LongFrames } from './long-frames.ts';

/** What all connections of an agent have together, over all listeners. */
export interface SharedParts {
  readonly lanes: Lanes;
  readonly scheduler: FrameScheduler;
  readonly longFrames: LongFrames;
}

export interface ConnectionOptions<Answer> {
  readonly socket: Socket;
  readonly limits: SocketLimits;
  readonly handler: FrameHandler<Answer>;
  readonly framing: Framing<Answer>;
  readonly shared: SharedParts;
  readonly log: Logger;
  /** Bytes that the kernel has for this socket; 0 once it is closed. */
  readonly unreadBytes: () => number;
  /** Nobody is at the other end any more, to send or to receive. */
  readonly hasHungUp: () => boolean;
  /** What a client is told that would be one too many of that share, to which it comes; null: there is room. */
  readonly noRoomFor: (share: Share) => Answer | null;
  /** Called once: when the socket is closed and every request of it has been answered. */
  readonly onDone: () => void;
}
