import type { Logger } from 'pino';
import type { FrameHandler } from './frame-handler.ts';
import type { Framing } from './framing.ts';
import type { SocketLimits } from './limits.ts';

export interface ConnectionOptions<Answer> {
  readonly limits: SocketLimits;
  readonly handler: FrameHandler<Answer>;
  readonly framing: Framing<Answer>;
  readonly log: Logger;
  /** Bytes that the kernel has for this socket; 0 once it is closed. */
  readonly unreadBytes: () => number;
  readonly onDone: () => void;
}
