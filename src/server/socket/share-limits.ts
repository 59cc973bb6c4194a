import type { ShareKind } from '../../access/share.ts';

/** What one share has of the agent, over all of its connections. */
export interface ShareLimits {
  /** Time on the main thread that it is given before the next one's turn, milliseconds. */
  readonly quantumMs: number;
  /**
   * Requests that are in work at a time, where others ask something too: what the others ask stands behind them in the
   * thread pool, the audit log and the token. More wait in their connections: nobody is refused for it.
   */
  readonly maxInFlight: number;
  /** The same where nobody else has asked anything lately. */
  readonly maxInFlightAlone: number;
  /** Down to so few where they take long, beside others or not. */
  readonly fewestInFlight: number;
  /** Bytes of those requests; exceeded by one frame at most. */
  readonly maxInFlightBytes: number;
  /** Bytes of answers that its clients have not taken; beyond it none of its requests is begun. */
  readonly maxUnsentBytes: number;
  /** Bytes that were read and that nobody has looked at yet; beyond it nothing more is read of its connections. */
  readonly maxBufferedBytes: number;
  /** Connections in the middle of a long frame, whose bytes are kept meanwhile. The others are read when one is whole. */
  readonly maxLongFrames: number;
}

const kibibyte = 1024;
const mebibyte = 1024 * kibibyte;

export const shareLimits: Readonly<Record<ShareKind, ShareLimits>> = {
  own: {
    quantumMs: 0.5,
    maxInFlight: 1024,
    maxInFlightAlone: 1024,
    fewestInFlight: 1024,
    maxInFlightBytes: 32 * mebibyte,
    maxUnsentBytes: 64 * mebibyte,
    maxBufferedBytes: 16 * mebibyte,
    maxLongFrames: 64,
  },
  user: {
    quantumMs: 0.25,
    maxInFlight: 32,
    maxInFlightAlone: 256,
    fewestInFlight: 8,
    maxInFlightBytes: 16 * mebibyte,
    maxUnsentBytes: 16 * mebibyte,
    maxBufferedBytes: 8 * mebibyte,
    maxLongFrames: 64,
  },
  stranger: {
    quantumMs: 0.1,
    // As many as its connections: who waits for the answer to a failed attempt must not keep others from theirs.
    maxInFlight: 128,
    maxInFlightAlone: 128,
    fewestInFlight: 128,
    maxInFlightBytes: mebibyte,
    maxUnsentBytes: mebibyte,
    maxBufferedBytes: 2 * mebibyte,
    maxLongFrames: 8,
  },
};
