import type { Session } from 'graphene-pk11';
import { AgentError } from '../../../base/errors.ts';
import { CKR } from './cryptoki.ts';
import { isReturnValue, isSessionLoss, isStale, ReturnValueError, translate } from './errors.ts';
import { closeQuietly } from './login.ts';
import type { ModuleLog } from './module-log.ts';

/** CK_SESSION_HANDLE as the bindings have it. */
export type SessionHandle = Buffer;

interface Waiter {
  readonly resolve: (session: Session) => void;
  readonly reject: (failure: unknown) => void;
}

/**
 * Sessions of one logged-in user, each doing one operation at a time, since a session holds one signature
 * operation (PKCS#11, 5.13). Who finds none free waits in order of arrival. A session that saw an error is
 * closed and another opened: what state the module left it in is the module's secret.
 */
export class SessionPool {
  readonly #openSession: () => Session;
  readonly #log: ModuleLog;
  readonly #idle: Session[] = [];
  readonly #waiting: Waiter[] = [];
  #limit: number;
  #open = 0;
  /** Of those that are open: given away until they come back. */
  readonly #lent = new Map<SessionHandle, Session>();
  #closing: Promise<void> | null = null;
  #closed: (() => void) | null = null;

  /** `size` sessions, opened as they are needed; fewer where the token has no more. */
  constructor(openSession: () => Session, size: number, log: ModuleLog) {
    this.#openSession = openSession;
    this.#limit = size;
    this.#log = log;
  }

  /**
   * Does the work on a session of its own, again on another where the first had gone stale; so the work must
   * bear being started twice. `failed`: the first attempt was made already, and failed so. Rejects with an
   * AgentError, `shutting_down` after close; `doing` completes "the token could not ...".
   */
  async run<T>(
    doing: string,
    work: (session: SessionHandle) => Promise<T> | T,
    failed: unknown = null,
  ): Promise<T> {
    if (failed === null) {
      try {
        return await this.#attempt(work);
      } catch (failure) {
        if (!isStale(failure)) throw translate(failure, doing);
      }
    }
    try {
      return await this.#attempt(work);
    } catch (failure) {
      throw translate(failure, doing);
    }
  }

  /**
   * Does the work at once, on this thread; null where no session is free. Throws what the work throws, whose
   * session is closed then.
   */
  inPlace<T>(work: (session: SessionHandle) => T): T | null {
    const session = this.#closed === null ? (this.#idle.pop() ?? this.#tryOpen()) : null;
    if (session === null) return null;
    let result: T;
    try {
      result = work(session.handle);
    } catch (failure) {
      this.#discard(session, failure);
      throw failure;
    }
    this.#release(session);
    return result;
  }

  /**
   * A session for someone who keeps it, until `takeBack`; null where there is none beside the one that stays here. Throws
   * where the token opens none.
   */
  lend(): SessionHandle | null {
    if (this.#closed !== null) return null;
    if (this.#open === this.#lent.size) {
      const own = this.#tryOpen();
      if (own === null) return null;
      this.#idle.push(own);
    }
    const isSpare = this.#open - this.#lent.size > 1;
    const session = (isSpare ? this.#idle.pop() : undefined) ?? this.#tryOpen();
    if (session === null) return null;
    this.#lent.set(session.handle, session);
    return session.handle;
  }

  /** Nobody uses it any more. `failure`: what its last use failed with, null where it did not. */
  takeBack(handle: SessionHandle, failure: unknown): void {
    const session = this.#lent.get(handle);
    if (session === undefined) return;
    this.#lent.delete(handle);
    if (failure === null) this.#release(session);
    else this.#discard(session, failure);
  }

  /** Refuses new work, lets what was taken on finish, closes every session. Every call waits for that. */
  close(): Promise<void> {
    this.#closing ??= new Promise((resolve) => {
      this.#closed = resolve;
      this.#finishClosing();
    });
    return this.#closing;
  }

  async #attempt<T>(work: (session: SessionHandle) => Promise<T> | T): Promise<T> {
    const session = await this.#acquire();
    let result: T;
    try {
      result = await work(session.handle);
    } catch (failure) {
      this.#discard(session, failure);
      throw failure;
    }
    this.#release(session);
    return result;
  }

  #acquire(): Session | Promise<Session> {
    if (this.#closed !== null) {
      throw new AgentError('shutting_down', 'the keyring is being closed');
    }
    const session = this.#idle.pop() ?? this.#tryOpen();
    if (session !== null) return session;
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject });
    });
  }

  #release(session: Session): void {
    const next = this.#waiting.shift();
    if (next !== undefined) {
      next.resolve(session);
      return;
    }
    this.#idle.push(session);
    this.#finishClosing();
  }

  #discard(session: Session, failure: unknown): void {
    // Where the token lost one session it has, as far as seen, lost all of this process.
    const lost = isSessionLoss(failure) ? this.#idle.splice(0) : [];
    for (const each of [session, ...lost]) {
      closeQuietly(each);
      this.#open -= 1;
    }
    this.#serveWaiting();
    this.#finishClosing();
  }

  /** After a session went: whoever waits gets a new one, or learns that there is none to come. */
  #serveWaiting(): void {
    while (this.#waiting.length > 0) {
      try {
        const session = this.#tryOpen();
        if (session === null) return;
        this.#waiting.shift()?.resolve(session);
      } catch (failure) {
        // Those that are at work will come back and serve them.
        if (this.#open > this.#lent.size) return;
        for (const waiter of this.#waiting.splice(0)) waiter.reject(failure);
      }
    }
  }

  /** null where no more may be opened now, and those that are at work here come back. */
  #tryOpen(): Session | null {
    if (this.#open >= this.#limit) return null;
    try {
      const session = this.#openSession();
      this.#open += 1;
      return session;
    } catch (thrown) {
      if (!isReturnValue(thrown, CKR.SESSION_COUNT) || this.#open === 0) throw thrown;
      if (this.#open === this.#lent.size) throw allAreLent();
      this.#log.warn(
        { sessions: this.#open, wanted: this.#limit },
        'the token has no more sessions',
      );
      this.#limit = this.#open;
      return null;
    }
  }

  #finishClosing(): void {
    if (this.#closed === null || this.#open > this.#idle.length || this.#waiting.length > 0) return;
    for (const session of this.#idle.splice(0)) closeQuietly(session);
    this.#open = 0;
    this.#closed();
  }
}

/** Who has them keeps them: the sessions of another process are shared out anew. */
function allAreLent(): AgentError {
  return new AgentError(
    'backend_unavailable',
    'the token opens no session beside those that threads sign with (CKR_SESSION_COUNT)',
    { cause: new ReturnValueError(CKR.DEVICE_ERROR) },
  );
}
