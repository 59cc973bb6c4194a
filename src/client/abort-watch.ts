import type { PendingCall } from './pending-call.ts';

interface Watched {
  readonly calls: Set<PendingCall>;
  readonly listener: () => void;
}

/**
 * Rejects calls when their signals abort. One listener a signal, however many calls share it: Node warns of
 * a leak from the eleventh on.
 */
export class AbortWatch {
  readonly #signals = new Map<AbortSignal, Watched>();

  add(signal: AbortSignal, call: PendingCall): void {
    const watched = this.#signals.get(signal) ?? this.#watch(signal);
    watched.calls.add(call);
  }

  remove(signal: AbortSignal, call: PendingCall): void {
    const watched = this.#signals.get(signal);
    if (watched?.calls.delete(call) !== true || watched.calls.size > 0) return;
    signal.removeEventListener('abort', watched.listener);
    this.#signals.delete(signal);
  }

  #watch(signal: AbortSignal): Watched {
    const calls = new Set<PendingCall>();
    const listener = (): void => {
      for (const call of [...calls]) call.reject(signal.reason);
    };
    const watched = { calls, listener };
    signal.addEventListener('abort', listener);
    this.#signals.set(signal, watched);
    return watched;
  }
}
