import type { Share } from '../../access/share.ts';
import { Lane } from './lane.ts';

/** The lanes of open connections, over every listener of the agent. */
export class Lanes {
  readonly #lanes = new Map<string, Lane>();
  #total = 0;

  /** Open connections, of all lanes. */
  get total(): number {
    return this.#total;
  }

  /** Open connections of that share. */
  connectionsOf(share: Share): number {
    return this.#lanes.get(keyOf(share))?.connections ?? 0;
  }

  /** For one connection more. Every `enter` is followed by one `leave`. */
  enter(share: Share): Lane {
    const key = keyOf(share);
    const lane = this.#lanes.get(key) ?? new Lane(share);
    this.#lanes.set(key, lane);
    lane.connections += 1;
    this.#total += 1;
    return lane;
  }

  leave(lane: Lane): void {
    lane.connections -= 1;
    this.#total -= 1;
    if (lane.connections === 0) this.#lanes.delete(keyOf(lane.share));
  }
}

function keyOf({ kind, name }: Share): string {
  return `${kind} ${name}`;
}
