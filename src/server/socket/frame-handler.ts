import type { Share } from '../../access/share.ts';

/** What the frames of one connection are handed to. */
export interface FrameHandler<Answer> {
  /** Answers one frame. Never throws, never rejects. */
  answer(frame: Buffer): Promise<Answer>;
  /** What a frame is answered that was handed on, and whose own answer is not waited for: the agent stops. */
  unfinished(frame: Buffer): Answer;
  /** Whose part of the agent they take now. */
  readonly share: Share;
  /** The longest frame that is taken now, bytes; null: as long as the listener takes. */
  readonly maxFrameBytes: number | null;
  /** Called once, when the connection is closed and every request of it was answered. */
  closed(): void;
}
