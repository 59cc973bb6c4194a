import { describeFailure } from '../../base/errors.ts';
import { HostLost } from './host-end.ts';
import type { HostProcess } from './host-process.ts';
import type { Lent, VaultNumber } from './messages.ts';
import type { SignerChannel } from './signer-channel.ts';

type LaneChannel = Pick<SignerChannel, 'isReady' | 'ready' | 'length' | 'window' | 'send'>;
export type LanesProcess = Pick<HostProcess, 'call'> & {
  readonly signers: readonly LaneChannel[];
};

export interface SignerLanesOptions {
  readonly process: LanesProcess;
  readonly vault: VaultNumber;
  /** A call that takes longer is taken for hung, milliseconds. */
  readonly callTimeout: number;
  /** False while other vaults of the process are being opened: each has a session before any is lent. */
  readonly mayLend: () => boolean;
  /** So many threads sign from now on. */
  readonly onThreads: (threads: number) => void;
  /** No thread does, and why. */
  readonly onNoThreads: (reason: string) => void;
}

/** A thread, for one vault. */
export interface Lane {
  /** Of the thread. */
  readonly number: number;
  readonly channel: LaneChannel;
  /** null while it has none that can be used. */
  session: Buffer | null;
  /** Of this vault, in the channel. */
  underWay: number;
  /** That were met with its sessions. */
  failures: number;
}

/** Threads at first; their number is doubled while there is work for more. */
const firstThreads = 2;
/** Before a session is asked for again that a thread has lost, milliseconds. */
const askAgainAfter = 1000;

/** The threads that sign for one vault in one process, and the sessions that it has lent them. */
export class SignerLanes {
  readonly #options: SignerLanesOptions;
  readonly #lanes: Lane[] = [];
  #longest = 0;
  #isAsking = false;
  #lastAsked = 0;
  /** How many were said to sign. */
  #said: number | null = null;

  constructor(options: SignerLanesOptions) {
    this.#options = options;
  }

  /** Bytes of the longest message that threads take; 0: there are none. */
  get longest(): number {
    return this.#longest;
  }

  /** Sessions that threads have. */
  get lent(): number {
    return this.#used().length;
  }

  /** The vault has a key that threads may sign with. */
  begin(): void {
    if (this.#lanes.length === 0 && this.#options.mayLend()) this.#ask(firstThreads);
  }

  /** The one with the least to do that has room for another request of this vault. */
  free(): Lane | null {
    let best: Lane | null = null;
    let areAllFull = this.#lanes.length > 0;
    let isOneWithout = false;
    for (const lane of this.#lanes) {
      const { channel, session, underWay } = lane;
      if (session === null) {
        isOneWithout = true;
        continue;
      }
      if (underWay >= channel.window) continue;
      areAllFull = false;
      if (!channel.isReady) continue;
      if (best === null || channel.length < best.channel.length) best = lane;
    }
    if (isOneWithout && performance.now() - this.#lastAsked > askAgainAfter) {
      this.#ask(this.#lanes.length);
    } else if (areAllFull && this.#lanes.length < this.#options.process.signers.length) {
      this.#ask(2 * this.#lanes.length);
    }
    return best;
  }

  /** Whether a thread will have room. */
  canWait(): boolean {
    return this.#lanes.some(({ session, underWay }) => session !== null && underWay > 0);
  }

  /** As the note of the host says: in the place of the session that a failure was met with. */
  renewed(number: number, session: string | null): void {
    const lane = this.#lanes[number];
    if (lane !== undefined) lane.session = handleOf(session);
  }

  #ask(threads: number): void {
    const { process, vault, callTimeout, onNoThreads } = this.#options;
    if (this.#isAsking || process.signers.length === 0) return;
    this.#isAsking = true;
    this.#lastAsked = performance.now();
    const failures = this.#lanes.map((lane) => lane.failures);
    process.call<Lent>({ op: 'lend', vault, threads }, callTimeout).then(
      ({ longest, sessions }) => {
        this.#longest = longest;
        for (const [number, session] of sessions.entries()) {
          this.#take(number, handleOf(session), failures[number]);
        }
        // A vault that lends nothing is asked once.
        if (sessions.length === 0) return;
        this.#isAsking = false;
        void this.#announce();
      },
      (failure: unknown) => {
        if (!(failure instanceof HostLost)) onNoThreads(describeFailure(failure));
      },
    );
  }

  /** `failures`: that the lane had met when it was asked for; undefined: there was no such lane. */
  #take(number: number, session: Buffer | null, failures: number | undefined): void {
    const lane = this.#lanes[number];
    const channel = this.#options.process.signers[number];
    if (lane === undefined && channel !== undefined) {
      this.#lanes.push({ number, channel, session, underWay: 0, failures: 0 });
      return;
    }
    // One that has met another failure since has that session no more.
    if (lane?.session === null && lane.failures === failures) lane.session = session;
  }

  async #announce(): Promise<void> {
    const { onThreads, onNoThreads } = this.#options;
    const used = this.#used();
    if (used.length === this.#said) return;
    this.#said = used.length;
    if (used.length === 0) {
      onNoThreads('the token has no session to spare for them');
      return;
    }
    await Promise.all(used.map(({ channel }) => channel.ready));
    onThreads(used.length);
  }

  #used(): readonly Lane[] {
    return this.#lanes.filter(({ session }) => session !== null);
  }
}

function handleOf(hex: string | null): Buffer | null {
  return hex === null ? null : Buffer.from(hex, 'hex');
}
