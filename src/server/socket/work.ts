import type { Lane } from './lane.ts';
import type { SocketLimits } from './limits.ts';

/** A request that was handed on. */
export interface Request {
  readonly frame: Buffer;
  /** Where it counts. */
  readonly lane: Lane;
  readonly begunAt: number;
}

/** The requests of one connection that were handed on and are not answered. */
export class Work {
  readonly #limits: SocketLimits;
  readonly #requests = new Set<Request>();
  #bytes = 0;

  constructor(limits: SocketLimits) {
    this.#limits = limits;
  }

  get count(): number {
    return this.#requests.size;
  }

  /** There are as many as the limits allow. */
  get isFull(): boolean {
    const { maxInFlightPerConnection, maxInFlightBytesPerConnection } = this.#limits;
    return (
      this.#requests.size >= maxInFlightPerConnection ||
      this.#bytes >= maxInFlightBytesPerConnection
    );
  }

  begin(frame: Buffer, lane: Lane): Request {
    const request = { frame, lane, begunAt: performance.now() };
    lane.begin(frame.length);
    this.#requests.add(request);
    this.#bytes += frame.length;
    return request;
  }

  /** False where it had ended: its answer was given. */
  end(request: Request): boolean {
    if (!this.#requests.delete(request)) return false;
    this.#bytes -= request.frame.length;
    request.lane.end(request.frame.length, performance.now() - request.begunAt);
    return true;
  }

  /** As they were handed on. */
  requests(): readonly Request[] {
    return [...this.#requests];
  }
}
