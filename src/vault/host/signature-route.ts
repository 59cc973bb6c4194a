import type { AlgorithmName } from '../../api/signing-backend.ts';
import { describeFailure } from '../../base/errors.ts';
import type { VaultKey } from '../vault.ts';
import { HostLost } from './host-end.ts';
import type { HostProcess } from './host-process.ts';
import { readSigned, type Lent, type VaultNumber } from './messages.ts';
import type { Answer, SignatureJob } from './signature-jobs.ts';
import type { SignerChannel } from './signer-channel.ts';

type RouteChannel = Pick<SignerChannel, 'isReady' | 'ready' | 'length' | 'window' | 'send'>;
export type RouteProcess = Pick<HostProcess, 'sign' | 'signAfter' | 'call'> & {
  readonly signers: readonly RouteChannel[];
};

export interface SignatureRouteOptions {
  readonly process: RouteProcess;
  readonly vault: VaultNumber;
  readonly algorithm: AlgorithmName;
  /** Of the vault, those that it lends among them. */
  readonly sessions: number;
  /** A signature that takes longer is taken for hung, milliseconds. */
  readonly callTimeout: number;
  /** So many threads sign from now on. */
  readonly onThreads: (threads: number) => void;
  /** The vault has failed to lend them anything. */
  readonly onNoThreads: (reason: string) => void;
}

/** A thread, for one vault. */
interface Lane {
  readonly channel: RouteChannel;
  /** null while it has none that can be used. */
  session: Buffer | null;
  /** Of this vault, in the channel. */
  underWay: number;
}

/** Threads at first; their number is doubled while there is work for more. */
const firstThreads = 2;

/**
 * How the signatures of an open token go to its process. The first of each key goes to the main thread, which finds the
 * key and proves it. Then they go to threads that do nothing but sign, whatever is unusual to the main thread: a message
 * that is empty or long, a failure, a suspect.
 */
export class SignatureRoute {
  readonly #options: SignatureRouteOptions;
  readonly #lanes: Lane[] = [];
  /** Of keys that were proved, by object id. */
  readonly #handles = new Map<
    string,
    { readonly publicKey: Uint8Array; readonly handle: Buffer }
  >();
  #longest = 0;
  #isLending = false;
  /** At the main thread. */
  #atMain = 0;
  #underWay = 0;
  readonly #whenDone: (() => void)[] = [];

  constructor(options: SignatureRouteOptions) {
    this.#options = options;
  }

  /** As SignatureJobsOptions.send. */
  send(job: SignatureJob, answer: Answer, alone: boolean): boolean {
    const handle = alone ? null : this.#handleOf(job.key);
    const { length } = job.message;
    if (handle !== null && length > 0 && length <= this.#longest) {
      const lane = this.#freeLane();
      if (lane !== null) this.#sendToThread(lane, job, handle, answer);
      else if (this.#canWait()) return false;
      else return this.#sendToMain(job, answer);
      return true;
    }
    return this.#sendToMain(job, answer);
  }

  /** The destruction of a key is asked for: its handle may be another's soon. */
  forget(objectId: string): void {
    this.#handles.delete(objectId);
  }

  /** As the note of the host says. */
  renewed(channel: number, session: string | null): void {
    const lane = this.#lanes[channel];
    if (lane !== undefined) lane.session = handleOf(session);
  }

  /** Resolves when nothing is under way: no thread uses a session of the vault then. */
  async done(): Promise<void> {
    if (this.#underWay === 0) return;
    await new Promise<void>((resolve) => this.#whenDone.push(resolve));
  }

  /** The one with the least to do that has room for another request of this vault. */
  #freeLane(): Lane | null {
    let best: Lane | null = null;
    let areAllFull = this.#lanes.length > 0;
    for (const lane of this.#lanes) {
      const { channel, session, underWay } = lane;
      if (session === null) continue;
      if (underWay < channel.window) areAllFull = false;
      else continue;
      if (!channel.isReady) continue;
      if (best === null || channel.length < best.channel.length) best = lane;
    }
    if (areAllFull) this.#lendMore();
    return best;
  }

  /** Whether a thread will have room. */
  #canWait(): boolean {
    return this.#lanes.some(({ session, underWay }) => session !== null && underWay > 0);
  }

  #sendToThread(lane: Lane, { key, message }: SignatureJob, handle: Buffer, answer: Answer): void {
    const { process, vault, algorithm, callTimeout } = this.#options;
    const { channel, session } = lane;
    if (session === null) throw new Error('a thread without a session');
    lane.underWay += 1;
    this.#underWay += 1;
    const settle = (): void => {
      lane.underWay -= 1;
      this.#settled();
    };
    channel.send(
      { algorithm, session, key: handle, publicKey: key.publicKey, message },
      {
        timeLimit: callTimeout,
        signed: (signature) => {
          settle();
          answer.resolve({ signature, isVerified: true });
        },
        wrong: () => {
          // Its handle may be another's by now: the main thread finds and proves the key.
          this.#handles.delete(key.objectId);
          settle();
          answer.resolve({ signature: null, isVerified: true });
        },
        failed: (failure) => {
          // Closed by the main thread, which gives the thread another.
          lane.session = null;
          // The main thread decides which handles are stale.
          this.#handles.clear();
          const met = { channel: this.#lanes.indexOf(lane), failure };
          const main = this.#mainAnswer(key, answer);
          process.signAfter({ vault, key, message }, met, callTimeout, main);
          settle();
        },
        skipped: () => {
          process.sign({ vault, key, message }, callTimeout, this.#mainAnswer(key, answer));
          settle();
        },
        lost: (end) => {
          settle();
          answer.reject(new HostLost(end));
        },
      },
    );
  }

  /** The records may be other ones by now: an object id says nothing of another public key. */
  #handleOf({ objectId, publicKey }: VaultKey): Buffer | null {
    const known = this.#handles.get(objectId);
    if (known === undefined) return null;
    if (known.publicKey === publicKey) return known.handle;
    return Buffer.compare(known.publicKey, publicKey) === 0 ? known.handle : null;
  }

  #sendToMain({ key, message }: SignatureJob, answer: Answer): boolean {
    const { process, vault, sessions, callTimeout } = this.#options;
    // Each finds a session free, so that its time limit is that of the module's call.
    const lent = this.#lanes.filter(({ session }) => session !== null).length;
    if (this.#atMain >= Math.max(1, sessions - lent)) return false;
    process.sign({ vault, key, message }, callTimeout, this.#mainAnswer(key, answer));
    return true;
  }

  #mainAnswer(key: VaultKey, answer: Answer): Parameters<HostProcess['sign']>[2] {
    this.#atMain += 1;
    this.#underWay += 1;
    const settle = (): void => {
      this.#atMain -= 1;
      this.#settled();
    };
    return {
      resolve: (payload) => {
        const { signature, handle } = readSigned(payload);
        if (handle !== null) this.#note(key, handle);
        settle();
        answer.resolve({ signature, isVerified: false });
      },
      reject: (failure) => {
        this.#handles.delete(key.objectId);
        settle();
        answer.reject(failure);
      },
    };
  }

  #note(key: VaultKey, handle: Buffer): void {
    this.#handles.set(key.objectId, { publicKey: key.publicKey, handle });
    if (this.#lanes.length === 0) this.#lend(firstThreads);
  }

  #lendMore(): void {
    if (this.#lanes.length < this.#options.process.signers.length) {
      this.#lend(2 * this.#lanes.length);
    }
  }

  #lend(threads: number): void {
    const { process, vault, callTimeout, onNoThreads } = this.#options;
    if (this.#isLending || process.signers.length === 0) return;
    this.#isLending = true;
    process.call<Lent>({ op: 'lend', vault, threads }, callTimeout).then(
      ({ longest, sessions }) => {
        this.#longest = longest;
        for (const [index, session] of sessions.entries()) {
          const channel = process.signers[index];
          if (channel === undefined || index < this.#lanes.length) continue;
          this.#lanes.push({ channel, session: handleOf(session), underWay: 0 });
        }
        // A vault that lends nothing is asked once.
        if (sessions.length > 0) void this.#takeThreads();
      },
      (failure: unknown) => {
        onNoThreads(describeFailure(failure));
      },
    );
  }

  async #takeThreads(): Promise<void> {
    this.#isLending = false;
    const used = this.#lanes.filter(({ session }) => session !== null);
    await Promise.all(used.map(({ channel }) => channel.ready));
    this.#options.onThreads(used.length);
  }

  #settled(): void {
    this.#underWay -= 1;
    if (this.#underWay > 0) return;
    for (const done of this.#whenDone.splice(0)) done();
  }
}

function handleOf(hex: string | null): Buffer | null {
  return hex === null ? null : Buffer.from(hex, 'hex');
}
