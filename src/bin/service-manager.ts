import { describeFailure } from '../base/errors.ts';
import type { Libc } from '../native/libc.ts';
import type { World } from '../base/world.ts';

export interface ServiceManagerParts {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly pid: number;
  readonly libc: Pick<Libc, 'notify'>;
  readonly world: Pick<World, 'log'>;
  /** CLOCK_MONOTONIC, microseconds. */
  readonly monotonicUs: () => bigint;
}

/**
 * What a service manager is told (sd_notify(3)): the states of a service of `Type=notify` or `notify-reload`, and signs
 * of life where it wants some. Without NOTIFY_SOCKET nothing.
 */
export class ServiceManager {
  readonly #parts: ServiceManagerParts;
  readonly #address: string;

  constructor(parts: ServiceManagerParts) {
    this.#parts = parts;
    this.#address = parts.env['NOTIFY_SOCKET'] ?? '';
  }

  /** `status`: a line for people. */
  ready(status: string): void {
    this.#tell(`READY=1\nSTATUS=${status}`);
  }

  /** `ready` ends it. */
  reloading(): void {
    this.#tell(`RELOADING=1\nMONOTONIC_USEC=${this.#parts.monotonicUs()}`);
  }

  stopping(): void {
    this.#tell('STOPPING=1\nSTATUS=answering what was asked before');
  }

  /**
   * Milliseconds between two signs of life (`sayAlive`), half of what the service manager waits for one; null: it wants
   * none of this process (sd_watchdog_enabled(3)).
   */
  get aliveEvery(): number | null {
    const { WATCHDOG_USEC: usec = '', WATCHDOG_PID: pid = '' } = this.#parts.env;
    if (this.#address === '' || !/^[1-9]\d*$/.test(usec)) return null;
    return pid === '' || pid === String(this.#parts.pid) ? Number(usec) / 2000 : null;
  }

  sayAlive(): void {
    this.#tell('WATCHDOG=1');
  }

  #tell(message: string): void {
    const { libc, world } = this.#parts;
    if (this.#address === '') return;
    try {
      libc.notify(this.#address, message);
    } catch (failure) {
      world.log.error({ reason: describeFailure(failure) }, 'could not tell the service manager');
    }
  }
}
