import { createHmac, timingSafeEqual } from 'node:crypto';
import { AgentError } from '../../base/errors.ts';
import type { World } from '../../base/world.ts';

/** How long the answer to a wrong passphrase is held back; twice as long for each further one, milliseconds. */
const firstPause = 100;
const longestPause = 5000;

interface Lock {
  /** HMAC of the passphrase: what stands in memory is of no use without the secret that stands beside it alone. */
  readonly digest: Buffer;
  /** Wrong passphrases so far. */
  failures: number;
  /** The answer to a wrong one is held back. */
  slowed: boolean;
}

/** Which users have locked the SSH agent (`ssh-add -x`). A lock concerns its own user alone. */
export class AgentLocks {
  readonly #world: Pick<World, 'pause'>;
  readonly #secret: Buffer;
  /** By uid. */
  readonly #locks = new Map<number, Lock>();

  constructor(world: Pick<World, 'pause' | 'randomBytes'>) {
    this.#world = world;
    this.#secret = world.randomBytes(32);
  }

  isLocked(uid: number): boolean {
    return this.#locks.has(uid);
  }

  /** Throws `locked`. */
  requireUnlocked(uid: number): void {
    if (!this.isLocked(uid)) return;
    throw new AgentError('locked', `uid ${uid} has locked the SSH agent: ssh-add -X`);
  }

  /** The passphrase stays the caller's. Throws `already_exists` while there is a lock. */
  lock(uid: number, passphrase: Uint8Array): void {
    this.requireNoLock(uid);
    this.#locks.set(uid, { digest: this.#digest(passphrase), failures: 0, slowed: false });
  }

  /** Throws `already_exists`. */
  requireNoLock(uid: number): void {
    if (!this.isLocked(uid)) return;
    throw new AgentError('already_exists', `uid ${uid} has locked the SSH agent already`);
  }

  /**
   * Throws `not_found` where there is no lock, `rate_limited` while the answer to a wrong passphrase is held back:
   * one attempt at a time, over all connections of the user.
   */
  requireLock(uid: number): void {
    const { slowed, failures } = this.#lockOf(uid);
    if (!slowed) return;
    const retryAfter = pauseAfter(failures);
    throw new AgentError('rate_limited', `one attempt at a time: try again in ${retryAfter} ms`, {
      details: { retry_after_ms: retryAfter },
    });
  }

  /** The passphrase stays the caller's. Rejects as `requireLock` throws; with `unauthenticated` for a wrong one, later. */
  async unlock(uid: number, passphrase: Uint8Array): Promise<void> {
    this.requireLock(uid);
    const lock = this.#lockOf(uid);
    if (timingSafeEqual(this.#digest(passphrase), lock.digest)) {
      this.#locks.delete(uid);
      return;
    }
    lock.failures += 1;
    lock.slowed = true;
    try {
      await this.#world.pause(pauseAfter(lock.failures));
    } finally {
      lock.slowed = false;
    }
    throw new AgentError('unauthenticated', 'the passphrase is not the one that locked the agent');
  }

  #lockOf(uid: number): Lock {
    const lock = this.#locks.get(uid);
    if (lock !== undefined) return lock;
    throw new AgentError('not_found', `uid ${uid} has not locked the SSH agent`);
  }

  #digest(passphrase: Uint8Array): Buffer {
    return createHmac('sha256', this.#secret).update(passphrase).digest();
  }
}

function pauseAfter(failures: number): number {
  return Math.min(longestPause, firstPause * 2 ** (failures - 1));
}
