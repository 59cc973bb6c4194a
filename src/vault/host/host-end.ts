/** How a host process ended. */
export interface HostEnd {
  /** Another program killed it, or this one on purpose: no request is to blame. */
  readonly isExpected: boolean;
  readonly reason: string;
}

/** The process ended before it answered: whether the call was done nobody knows. */
export class HostLost extends Error {
  override readonly name = 'HostLost';
  readonly end: HostEnd;

  constructor(end: HostEnd) {
    super(end.reason);
    this.end = end;
  }
}
