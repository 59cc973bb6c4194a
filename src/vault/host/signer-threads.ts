import type { Lending, SignerFailure } from '../hosted.ts';
import type { Lent, VaultNumber } from './messages.ts';
import { longestOfSigner } from './signer-frames.ts';

export interface SignerThreadsOptions {
  /** Starts the thread of a channel, 0 or more, with the functions of a module. */
  readonly start: (channel: number, library: string) => void;
  /** Channels that there are. */
  readonly most: number;
}

/**
 * The threads of this process that do nothing but sign, and what each of its vaults has lent them. Which thread signs
 * what the agent decides: it has a channel to each.
 */
export class SignerThreads {
  readonly #options: SignerThreadsOptions;
  readonly #lent = new Map<VaultNumber, (Buffer | null)[]>();
  /** Channels whose thread runs. */
  readonly #started = new Set<number>();

  constructor(options: SignerThreadsOptions) {
    this.#options = options;
  }

  /** Where a token opens no more sessions, later threads have none. */
  lend(vault: VaultNumber, lending: Lending | null, threads: number): Lent {
    if (lending === null) return { longest: 0, sessions: [] };
    const wanted = Math.min(threads, this.#options.most);
    const sessions = this.#lent.get(vault) ?? [];
    this.#lent.set(vault, sessions);
    for (let channel = 0; channel < wanted; channel += 1) {
      sessions[channel] ??= sessionOf(lending);
      if (sessions[channel] === null || this.#started.has(channel)) continue;
      this.#options.start(channel, lending.library);
      this.#started.add(channel);
    }
    return {
      longest: Math.min(lending.longest ?? longestOfSigner, longestOfSigner),
      sessions: sessions.map((session) => session?.toString('hex') ?? null),
    };
  }

  /** The thread of a channel has met a failure with the session that it has. */
  discard(vault: VaultNumber, lending: Lending, channel: number, failure: SignerFailure): void {
    const sessions = this.#lent.get(vault);
    const session = sessions?.[channel];
    if (sessions === undefined || session === undefined || session === null) return;
    sessions[channel] = null;
    lending.takeBack(session, failure);
  }

  /** Another one, where the vault is still open and has one: its handle in hex, null for none. */
  renew(vault: VaultNumber, lending: Lending, channel: number): string | null {
    const sessions = this.#lent.get(vault);
    if (sessions === undefined) return null;
    sessions[channel] ??= sessionOf(lending);
    return sessions[channel]?.toString('hex') ?? null;
  }

  /** Before a vault is closed; the agent asks for nothing more that they would be used for. */
  takeBack(vault: VaultNumber, lending: Lending | null): void {
    for (const session of this.#lent.get(vault) ?? []) {
      if (session !== null) lending?.takeBack(session, null);
    }
    this.#lent.delete(vault);
  }
}

/** What the token refuses here it says of the next signature too, to someone who waits for it. */
function sessionOf(lending: Lending): Buffer | null {
  try {
    return lending.lend();
  } catch {
    return null;
  }
}
