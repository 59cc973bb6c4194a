import type { AlgorithmName } from '../../api/signing-backend.ts';
import type { VaultKey } from '../vault.ts';
import { HostLost } from './host-end.ts';
import type { HostProcess } from './host-process.ts';
import { readSigned } from './messages.ts';
import type { Answer, SignatureJob } from './signature-jobs.ts';
import {
  SignerLanes,
  type Lane,
  type LanesProcess,
  type SignerLanesOptions,
} from './signer-lanes.ts';

export type RouteProcess = LanesProcess & Pick<HostProcess, 'sign' | 'signAfter'>;

export interface SignatureRouteOptions extends SignerLanesOptions {
  readonly process: RouteProcess;
  readonly algorithm: AlgorithmName;
  /** Of the vault, those that it lends among them. */
  readonly sessions: number;
}

/**
 * How the signatures of an open token go to its process. The first of each key goes to the main thread, which finds the
 * key and proves it. Then they go to threads that do nothing but sign, whatever is unusual to the main thread: a message
 * that is empty or long, a failure, a suspect.
 */
export class SignatureRoute {
  readonly #options: SignatureRouteOptions;
  readonly #lanes: SignerLanes;
  /** Of keys that were proved, by object id. */
  readonly #handles = new Map<
    string,
    { readonly publicKey: Uint8Array; readonly handle: Buffer }
  >();
  /** At the main thread. */
  #atMain = 0;
  #underWay = 0;
  readonly #whenDone: (() => void)[] = [];

  constructor(options: SignatureRouteOptions) {
    this.#options = options;
    this.#lanes = new SignerLanes(options);
  }

  /** As SignatureJobsOptions.send. */
  send(job: SignatureJob, answer: Answer, alone: boolean): boolean {
    const handle = alone ? null : this.#handleOf(job.key);
    const { length } = job.message;
    if (handle !== null && length > 0 && length <= this.#lanes.longest) {
      const lane = this.#lanes.free();
      if (lane !== null) this.#sendToThread(lane, job, handle, answer);
      else if (this.#lanes.canWait()) return false;
      else return this.#sendToMain(job, answer);
      return true;
    }
    return this.#sendToMain(job, answer);
  }

  /** The destruction of a key is asked for: its handle may be another's soon. */
  forget(objectId: string): void {
    this.#handles.delete(objectId);
  }

  /** As SignerLanes.renewed. */
  renewed(channel: number, session: string | null): void {
    this.#lanes.renewed(channel, session);
  }

  /** Resolves when nothing is under way: no thread uses a session of the vault then. */
  async done(): Promise<void> {
    if (this.#underWay === 0) return;
    await new Promise<void>((resolve) => this.#whenDone.push(resolve));
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
          lane.failures += 1;
          // The main thread decides which handles are stale.
          this.#handles.clear();
          const met = { channel: lane.number, failure };
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
    const { process, vault, sessions, callTimeout, mayLend } = this.#options;
    // Each finds a session free, so that its time limit is that of the module's call. One leaves others to those that are
    // opened beside it.
    const most = mayLend() ? sessions - this.#lanes.lent : 1;
    if (this.#atMain >= Math.max(1, most)) return false;
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
    this.#lanes.begin();
  }

  #settled(): void {
    this.#underWay -= 1;
    if (this.#underWay > 0) return;
    for (const done of this.#whenDone.splice(0)) done();
  }
}
