import type { SocketLimits } from './limits.ts';

/** Frames out of a byte stream, pulled one at a time. */
export interface Decoder {
  /** The longest frame accepted now, bytes. */
  maxFrameBytes: number;
  /** The stream held a frame that is not accepted. Nothing is decoded after it. */
  readonly tooLarge: boolean;
  /** Once `next` answered null: bytes of an unfinished frame are held. */
  readonly partial: boolean;
  /** How many. */
  readonly heldBytes: number;
  /** There are bytes that `next` has not looked at. */
  readonly waiting: boolean;
  /** How many. */
  readonly waitingBytes: number;
  push(chunk: Buffer): void;
  /** The next whole frame; null where more bytes are needed first, or never. */
  next(): Buffer | null;
}

/** How requests and answers lie in the bytes of a connection, and what is said where no request can be read. */
export interface Framing<Answer> {
  decoder(maxFrameBytes: number): Decoder;
  /** What is written for these answers, one at least, in their order. */
  written(answers: readonly Answer[]): string | Buffer;
  /** `maxFrameBytes`: of that connection. */
  tooLarge(maxFrameBytes: number): Answer;
  tooSlow(limits: SocketLimits): Answer;
  /** The stream ends within a frame. */
  cutOff(): Answer;
  tooManyConnections(): Answer;
  tooManyOfUser(limits: SocketLimits): Answer;
  tooManyWithoutScope(limits: SocketLimits): Answer;
  /** A caller without a scope has asked nothing for too long. */
  idle(limits: SocketLimits): Answer;
}
