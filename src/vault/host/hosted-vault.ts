import { AgentError, describeFailure } from '../../base/errors.ts';
import type { BackendName, Protection } from '../../api/signing-backend.ts';
import type { Algorithm } from '../../algorithms/algorithm.ts';
import { KeyNames } from '../key-names.ts';
import type { CloseOptions, SealStore, Vault, VaultKey, VaultObject } from '../vault.ts';
import { backoff } from './backoff.ts';
import { HostLost, type HostEnd } from './host-end.ts';
import { asAgentError, type HostProcess, type VaultNote } from './host-process.ts';
import { HostedCalls } from './hosted-calls.ts';
import type { HostedVaultOptions } from './hosted-vault-options.ts';
import { HostFailure, type HostCall, type Opened, type VaultNumber } from './messages.ts';
import type { HostUser } from './module-host.ts';
import { SignatureJobs, type MadeSignature } from './signature-jobs.ts';
import { SignatureRoute } from './signature-route.ts';
import { logInWith, openToken } from './token-opening.ts';
import { VerifiedSignatures } from './verified-signatures.ts';

type State =
  | { readonly is: 'open'; readonly process: HostProcess }
  | { readonly is: 'opening' }
  /** The breaker: until then nobody is let through. `until` on the monotonic clock. */
  | { readonly is: 'away'; readonly failure: AgentError; readonly until: number }
  | { readonly is: 'locked'; readonly failure: AgentError }
  | { readonly is: 'closed' };

/** Processes in a row that ended, or failed for good, without a signature in between: then it is not tried on. */
const mostFailures = 3;
const awayWait = { first: 500, longest: 30_000 };
/** Every so many attempts at a token that is away are made in a fresh process, whoever shares the old one. */
const freshProcessEvery = 4;
const restartWait = { first: 50, longest: 2000 };
/**
 * A keyring's token in a vault host. Where the host ends, another is started, the token opened in it and the
 * signatures that were under way made again: a signature is safe to repeat, since nobody has seen the first. A key
 * that was being made is not: its caller is told. While the token stays away callers are told when to come
 * back, and it is opened again without being asked.
 */
export class HostedVault implements Vault, HostUser {
  readonly name: BackendName;
  readonly algorithm: Algorithm;
  readonly sealStore: SealStore;
  readonly importKey: Vault['importKey'];
  readonly #options: HostedVaultOptions;
  readonly #number: VaultNumber;
  readonly #jobs: SignatureJobs;
  readonly #calls: HostedCalls;
  readonly #signatures: VerifiedSignatures;
  #state: State = { is: 'opening' };
  /** Of the last opening. */
  #route: SignatureRoute | null = null;
  #opening: Promise<void> | null = null;
  #protection: Protection = 'software';
  #names: KeyNames;
  /** Ids that no new key may have. */
  readonly #taken = new Set<string>();
  /** Since the last signature. */
  #failures = 0;
  #absences = 0;
  /** How often the token was opened. */
  #openings = 0;
  /** The process in which the token had forgotten the login once. */
  #loggedInAgain: HostProcess | null = null;
  #retry: NodeJS.Timeout | null = null;
  #closing: Promise<void> | null = null;

  private constructor(options: HostedVaultOptions) {
    this.#options = options;
    this.name = options.target.backend;
    this.algorithm = options.algorithm;
    this.#names = new KeyNames(options.target.label, 'time');
    this.#number = options.host.join(this);
    this.#jobs = new SignatureJobs({
      send: (job, answer, alone) => this.#route?.send(job, answer, alone) ?? false,
      onFatal: (failure) => {
        this.#giveUp(failure);
      },
      onLoginLost: (failure) => {
        this.#logInAgain(failure);
      },
      onSuccess: () => {
        this.#failures = 0;
        this.#absences = 0;
      },
    });
    this.#signatures = new VerifiedSignatures({
      ...options,
      make: (key, message) => this.#sign(key, message),
    });
    this.#calls = new HostedCalls(this.#number, (call, timeLimit, secret) =>
      this.#attempt(call, timeLimit, secret),
    );
    this.importKey =
      options.noImport ??
      ((objectId, key) => this.#calls.importKey(objectId ?? this.reserve(), key));
    this.sealStore = this.#calls.sealStore;
  }

  /**
   * Rejects with `backend_unavailable` (module or token), `locked` (PIN), `not_supported` (the token does not have
   * the algorithm, or protects keys less than required).
   */
  static async open(options: HostedVaultOptions): Promise<HostedVault> {
    const vault = new HostedVault(options);
    try {
      await vault.#open(null);
      return vault;
    } catch (failure) {
      vault.#state = { is: 'closed' };
      await options.host.leave(vault.#number, false);
      throw asAgentError(failure, 'opened the token');
    }
  }

  /** What the token said last. */
  get protection(): Protection {
    return this.#protection;
  }

  get outage(): AgentError | null {
    const state = this.#state;
    return state.is === 'away' || state.is === 'locked' ? state.failure : null;
  }

  get openings(): number {
    return this.#openings;
  }

  readonly reserve = (): string => {
    const objectId = this.#names.reserve({ ...this.#options.world, taken: this.#taken });
    this.#taken.add(objectId);
    return objectId;
  };

  get flaw(): AgentError | null {
    return this.#signatures.flaw;
  }

  /** As Vault.sign; what leaves has been verified. */
  sign(key: VaultKey, message: Uint8Array): Promise<Uint8Array> {
    return this.#signatures.make(key, message);
  }

  #sign(key: VaultKey, message: Uint8Array): Promise<MadeSignature> {
    const refusal = this.#refusal();
    if (refusal !== null) return Promise.reject(refusal);
    return this.#jobs.add(key, message);
  }

  generate(objectId: string | null): Promise<VaultKey> {
    return this.#calls.generate(objectId ?? this.reserve());
  }

  destroy(objectId: string, publicKey: Uint8Array | null = null): Promise<void> {
    this.#route?.forget(objectId);
    return this.#calls.destroy(objectId, publicKey);
  }

  list(): Promise<readonly VaultObject[]> {
    return this.#calls.list();
  }

  attest(key: VaultKey, nonce: Uint8Array): Promise<Readonly<Record<string, unknown>>> {
    return this.#calls.attest(key, nonce);
  }

  evidence(key: VaultKey): Promise<Readonly<Record<string, unknown>> | null> {
    return this.#calls.evidence(key);
  }

  close({ forget = false }: CloseOptions = {}): Promise<void> {
    this.#closing ??= this.#close(forget);
    return this.#closing;
  }

  lost(process: HostProcess, end: HostEnd): void {
    const state = this.#state;
    if (state.is !== 'open' || state.process !== process) return;
    const { log } = this.#options.world;
    log.warn({ keyring: this.#options.keyring, reason: end.reason }, 'the vault host ended');
    this.#jobs.pause();
    if (this.#closing !== null) {
      this.#state = { is: 'closed' };
      this.#jobs.refuse(shuttingDown());
      return;
    }
    if (!end.isExpected) this.#failures += 1;
    if (this.#failures >= mostFailures) this.#goAway(new HostLost(end));
    else this.#reopen();
  }

  noted(note: VaultNote): void {
    if (note.note === 'session') {
      this.#route?.renewed(note.channel, note.session);
      return;
    }
    const { protection } = note;
    this.#protection = protection;
    try {
      this.#options.refuseProtection(protection);
    } catch (failure) {
      this.#jobs.pause();
      this.#goAway(failure);
    }
  }

  /** A failure that only another process gets out of. */
  #giveUp(failure: HostFailure): void {
    const state = this.#state;
    if (state.is !== 'open' || !state.process.usable) return; // a call beside it said so already
    // Neither handles that are given twice nor a process that is full say anything against the token.
    if (!failure.givenTwice && !failure.full) this.#failures += 1;
    state.process.retire({ isExpected: true, reason: failure.message });
  }

  /** The token has forgotten the login. Once a process that is done again there; then another is better. */
  #logInAgain(failure: HostFailure): void {
    const state = this.#state;
    if (state.is !== 'open' || !state.process.usable) return;
    const { process } = state;
    if (this.#loggedInAgain === process) {
      this.#giveUp(failure);
      return;
    }
    this.#loggedInAgain = process;
    this.#jobs.pause();
    this.#reopen(process);
  }

  /** `running`: the token is open there already, and wants another login. */
  #reopen(running: HostProcess | null = null): void {
    this.#state = { is: 'opening' };
    this.#opening = this.#open(running)
      .catch((failure: unknown) => {
        if (this.#closing !== null) this.#jobs.refuse(shuttingDown());
        else if (failure instanceof AgentError && failure.kind === 'locked') this.#lock(failure);
        else this.#goAway(failure);
      })
      .finally(() => {
        this.#opening = null;
      });
  }

  /** Tries on where the process is lost on the way, for as long as a caller may be kept waiting. */
  async #open(running: HostProcess | null): Promise<void> {
    const { host, callTimeout, pins, refuseProtection, world } = this.#options;
    const begun = world.monotonicNow();
    for (let attempt = 0; ; attempt += 1) {
      let process = running?.usable === true ? running : null;
      // The sessions that threads have are closed where the token is opened again.
      await this.#route?.done();
      try {
        const { protection, ids, takenIds } = await host.inTurn(() =>
          logInWith(pins, async (pin, announce) => {
            if (process !== null) {
              await announce();
              return process.call<Opened>({ op: 'login', vault: this.#number }, callTimeout, pin);
            }
            process = await host.process();
            return openToken(process, this.#number, this.#options, pin, announce);
          }),
        );
        refuseProtection(protection);
        this.#protection = protection;
        this.#names = new KeyNames(this.#names.label, ids);
        for (const id of takenIds) this.#taken.add(id);
        this.#isOpenIn(process);
        return;
      } catch (failure) {
        // A token that is away is no reason to end a process that serves others.
        if (failure instanceof HostFailure && failure.fatal && host.users === 1) {
          process?.retire({ isExpected: true, reason: failure.message });
        }
        // A module may list the tokens that it found as it started, and no others (SoftHSM).
        const missing = failure instanceof HostFailure && failure.kind === 'backend_unavailable';
        if (missing && this.#absences % freshProcessEvery === freshProcessEvery - 1) {
          process?.retire({ isExpected: true, reason: failure.message });
        }
        const patient = world.monotonicNow() - begun < callTimeout && this.#closing === null;
        if (!(failure instanceof HostLost) || !patient) throw failure;
        await new Promise((resolve) =>
          setTimeout(resolve, backoff(attempt, restartWait, world.randomBytes)),
        );
      }
    }
  }

  #isOpenIn(process: HostProcess | null): void {
    // Its end may have come while the PIN was written down as the right one: nobody would hear of it.
    if (process?.usable !== true) {
      throw new HostLost({ isExpected: true, reason: 'it ended as it opened the token' });
    }
    this.#route = this.#routeTo(process);
    this.#state = { is: 'open', process };
    this.#openings += 1;
    this.#jobs.resume(() => process.usable);
  }

  #routeTo(process: HostProcess): SignatureRoute {
    const { keyring, sessions, callTimeout, world } = this.#options;
    return new SignatureRoute({
      ...{ process, sessions, callTimeout },
      vault: this.#number,
      algorithm: this.algorithm.name,
      onThreads: (threads) => {
        world.log.info({ keyring, threads }, 'threads of the vault host sign');
      },
      onNoThreads: (reason) => {
        world.log.warn({ keyring, reason }, 'signatures are made by one thread');
      },
    });
  }

  #lock(failure: AgentError): void {
    this.#log(failure, null);
    this.#state = { is: 'locked', failure };
    this.#jobs.refuse(failure);
  }

  #goAway(thrown: unknown): void {
    const { world } = this.#options;
    const failure = asAgentError(thrown, 'signed');
    const wait = backoff(this.#absences, awayWait, world.randomBytes);
    this.#absences += 1;
    this.#log(failure, wait);
    const state = { is: 'away', failure, until: world.monotonicNow() + wait } as const;
    this.#state = state;
    this.#jobs.refuse(this.#awayError(state));
    if (this.#retry !== null) clearTimeout(this.#retry);
    this.#retry = setTimeout(() => {
      this.#retry = null;
      if (this.#state === state) this.#reopen();
    }, wait);
  }

  #log(failure: AgentError, wait: number | null): void {
    const { keyring, world } = this.#options;
    world.log.error(
      { keyring, reason: failure.message, retry_after_ms: wait },
      wait === null
        ? 'the token wants its PIN, and is not asked again before an operator unlocks it'
        : 'the token is away, and is tried again',
    );
  }

  #awayError({ failure, until }: Extract<State, { is: 'away' }>): AgentError {
    const left = Math.max(1, Math.round(until - this.#options.world.monotonicNow()));
    if (failure.kind !== 'backend_unavailable') return failure;
    return new AgentError('backend_unavailable', failure.message, {
      details: { ...failure.details, retry_after_ms: left },
    });
  }

  /** Why nothing may be asked now; null where it is open, or about to be. */
  #refusal(): AgentError | null {
    const state = this.#state;
    if (this.#closing !== null || state.is === 'closed') return shuttingDown();
    if (state.is === 'away') return this.#awayError(state);
    return state.is === 'locked' ? state.failure : null;
  }

  async #attempt<Result>(
    call: HostCall,
    timeLimit = this.#options.callTimeout,
    secret: Buffer | null = null,
  ): Promise<Result> {
    const process = await this.#openProcess();
    try {
      return await process.call<Result>(call, timeLimit, secret);
    } catch (failure) {
      if (failure instanceof HostFailure && failure.fatal) this.#giveUp(failure);
      if (failure instanceof HostFailure && failure.loginLost) this.#logInAgain(failure);
      throw failure;
    }
  }

  /** The process with the token open in it, once it is. */
  async #openProcess(): Promise<HostProcess> {
    for (;;) {
      const refusal = this.#refusal();
      if (refusal !== null) throw refusal;
      const state = this.#state;
      if (state.is === 'open') {
        if (state.process.usable) return state.process;
        await state.process.ended;
        if (this.#state === state) throw new HostLost({ isExpected: true, reason: 'it has ended' });
      } else {
        await this.#opening;
      }
    }
  }

  async #close(forget: boolean): Promise<void> {
    if (this.#retry !== null) clearTimeout(this.#retry);
    await this.#jobs.finish();
    await this.#opening;
    const state = this.#state;
    this.#state = { is: 'closed' };
    if (state.is === 'open') {
      const { callTimeout } = this.#options;
      await state.process
        .call({ op: 'close', vault: this.#number }, callTimeout)
        .catch((failure: unknown) => {
          const reason = describeFailure(failure);
          this.#options.world.log.debug({ reason }, 'a token was not closed in order');
        });
    }
    await this.#options.host.leave(this.#number, forget);
  }
}

function shuttingDown(): AgentError {
  return new AgentError('shutting_down', 'the keyring is being closed');
}
