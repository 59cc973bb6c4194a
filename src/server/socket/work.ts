import type { Lane } from './lane.ts';
import type { SocketLimits } from './limits.ts';

/** A request that was handed on. */
export interface Request {
  readonly frame: Buffer;
  /** Where it counts. */
  readonly lane: Lane;
  readonly begunAt: number;
}

/** Its place among those in work; -1: it has ended. */
interface Placed extends Request {
  place: number;
}

/**
 * The requests of one connection that were handed on and are not answered. In an array, of which the last fills the
 * place of one that ends: a Set is built anew again and again where as many go as come.
 */
export class Work {
  readonly #limits: SocketLimits;
  readonly #requests: Placed[] = [];
  #bytes = 0;

  constructor(limits: SocketLimits) {
    this.#limits = limits;
  }

  get count(): number {
    return this.#requests.length;
  }

  /** There are as many as the limits allow. */
  get isFull(): boolean {
    const { maxInFlightPerConnection, maxInFlightBytesPerConnection } = this.#limits;
    return (
      this.#requests.length >= maxInFlightPerConnection ||
      this.#bytes >= maxInFlightBytesPerConnection
    );
  }

  begin(frame: Buffer, lane: Lane): Request {
    const place = this.#requests.length;
    const request: Placed = { frame, lane, begunAt: performance.now(), place };
    lane.begin(frame.length);
    this.#requests.push(request);
    this.#bytes += frame.length;
    return request;
  }

  /** Of one that `begin` answered. False where it had ended: its answer was given. */
  end(request: Request): boolean {
    const { place } = request as Placed;
    const last = place === -1 ? undefined : this.#requests.pop();
    if (last === undefined) return false;
    if (last !== request) {
      this.#requests[place] = last;
      last.place = place;
    }
    (request as Placed).place = -1;
    this.#bytes -= request.frame.length;
    request.lane.end(request.frame.length, performance.now() - request.begunAt);
    return true;
  }

  /** As they were handed on. */
  requests(): readonly Request[] {
    return this.#requests.toSorted((one, other) => one.begunAt - other.begunAt);
  }
}
