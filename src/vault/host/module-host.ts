import type { Logger } from 'pino';
import { AgentError } from '../../base/errors.ts';
import { type HostEnd } from './host-end.ts';
import { HostProcess, type VaultNote } from './host-process.ts';
import type { VaultNumber } from './messages.ts';

/** A keyring's vault, as the host of its module sees it. */
export interface HostUser {
  /** Its token was open in this process, which has ended. */
  lost(process: HostProcess, end: HostEnd): void;
  noted(note: VaultNote): void;
}

export interface ModuleHostOptions {
  /** Real path of the module. */
  readonly modulePath: string;
  /** The script of the child process. */
  readonly program: string;
  readonly environment: Readonly<Record<string, string>>;
  /** Threads that may sign. */
  readonly signers: number;
  readonly log: Logger;
}

/** One byte on the wire. */
const mostVaults = 255;
/** How long a process that was killed may take to be gone, milliseconds: the kernel may hold it in a device's driver. */
const goneTime = 5000;
/** How long sessions may take to be closed at the end, milliseconds. */
const stopTime = 2000;

/**
 * The child process of one PKCS#11 module, as many runs of it as it takes: keyrings on this module share it. At
 * no time there are two: a token is opened by one process alone.
 */
export class ModuleHost {
  readonly #options: ModuleHostOptions;
  readonly #users = new Map<VaultNumber, HostUser>();
  #process: HostProcess | null = null;
  #lastLogin: Promise<unknown> = Promise.resolve();
  /** Settles when the run before has ended. */
  #gone: Promise<void> = Promise.resolve();

  constructor(options: ModuleHostOptions) {
    this.#options = options;
  }

  /** The number under which a vault is known in the child. */
  join(user: HostUser): VaultNumber {
    for (let number = 1; number <= mostVaults; number += 1) {
      if (this.#users.has(number)) continue;
      this.#users.set(number, user);
      return number;
    }
    throw new RangeError(`a module serves at most ${mostVaults} keyrings`);
  }

  /**
   * The last one to leave ends the process. `forget` ends it in any case, with the PIN that it has seen: the
   * others open their tokens in another.
   */
  async leave(number: VaultNumber, forget: boolean): Promise<void> {
    this.#users.delete(number);
    if (this.#users.size > 0) {
      if (forget) this.#process?.retire({ isExpected: true, reason: 'a keyring was locked' });
      return;
    }
    const process = this.#process;
    this.#process = null;
    await process?.stop(stopTime);
    await this.#gone;
  }

  get users(): number {
    return this.#users.size;
  }

  /** One login at a time: what one of them learns about a PIN the next must know. */
  inTurn<T>(login: () => Promise<T>): Promise<T> {
    const made = this.#lastLogin.then(login);
    this.#lastLogin = made.catch(() => null); // its caller hears of it
    return made;
  }

  /**
   * The running process, started where there is none once the one before is gone. Rejects with
   * `backend_unavailable` where that one does not go.
   */
  async process(): Promise<HostProcess> {
    for (;;) {
      const process = this.#process;
      if (process?.usable === true) return process;
      await this.#waitForTheLast();
      // Another keyring may have started it meanwhile.
      if (this.#process === null) return this.#start();
    }
  }

  async #waitForTheLast(): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_resolve, reject) => {
      timer = setTimeout(() => {
        const pid = String(this.#process?.pid);
        reject(
          new AgentError('backend_unavailable', `vault host ${pid} was killed and is still there`),
        );
      }, goneTime);
    });
    try {
      await Promise.race([this.#gone, late]);
    } finally {
      clearTimeout(timer);
    }
  }

  #start(): HostProcess {
    const { modulePath, program, signers, environment, log } = this.#options;
    let ended: () => void = () => undefined;
    this.#gone = new Promise((resolve) => {
      ended = resolve;
    });
    const process: HostProcess = new HostProcess({
      ...{ program, signers, environment },
      log: log.child({ module: modulePath }),
      onNote: (note) => this.#users.get(note.vault)?.noted(note),
      onEnd: (end) => {
        if (this.#process === process) this.#process = null;
        ended();
        for (const user of [...this.#users.values()]) user.lost(process, end);
      },
    });
    this.#process = process;
    log.info({ module: modulePath, pid: process.pid }, 'vault host started');
    return process;
  }
}
