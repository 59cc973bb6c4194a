import { AgentError } from '../../base/errors.ts';
import type { ForeignKey, Seal, SealStore, VaultKey, VaultObject } from '../vault.ts';
import { HostLost } from './host-end.ts';
import { asAgentError } from './host-process.ts';
import {
  HostFailure,
  keyFromWire,
  objectFromWire,
  wireKey,
  type HostCall,
  type VaultNumber,
  type WireKey,
  type WireObject,
} from './messages.ts';

/** Makes one call in the process that has the token open, once there is one; rejects with HostFailure or HostLost. */
export type Attempt = <Result>(
  call: HostCall,
  timeLimit?: number,
  /** Wiped. */
  secret?: Buffer | null,
) => Promise<Result>;

/** Processes in a row that may end as they write a seal before none is written any more. */
const mostLostInSeal = 2;
/** Listing reads every object of a token: large ones take long, milliseconds. */
const listTime = 60_000;

/**
 * Everything that a token is asked but signatures: which calls may be made twice where the process was lost on the way,
 * and which may not. Rejects with an AgentError.
 */
export class HostedCalls {
  readonly sealStore: SealStore = {
    read: () => this.#readSeal(),
    write: (seal) => this.#writeSeal(seal),
  };
  readonly #vault: VaultNumber;
  readonly #attempt: Attempt;
  /** Processes in a row that ended as they wrote a seal. */
  #lostInSeal = 0;

  constructor(vault: VaultNumber, attempt: Attempt) {
    this.#vault = vault;
    this.#attempt = attempt;
  }

  /**
   * A key whose handle was given twice is looked for in the next process. Repeated only there, where this one was full
   * and has made nothing.
   */
  async generate(objectId: string): Promise<VaultKey> {
    const vault = this.#vault;
    try {
      const made = await this.#once<WireKey>({ op: 'generate', vault, objectId }, 'made a key');
      return keyFromWire(made);
    } catch (failure) {
      if (!(failure instanceof HostFailure && (failure.givenTwice || failure.full))) throw failure;
      const made = await this.#again<WireKey | null>({ op: 'adopt', vault, objectId });
      if (made !== null) return keyFromWire(made);
      if (!failure.full) throw failure;
      const call = { op: 'generate', vault, objectId } as const;
      return keyFromWire(await this.#once<WireKey>(call, 'made a key'));
    }
  }

  /** Never repeated. */
  async importKey(objectId: string, { file, password }: ForeignKey): Promise<VaultKey> {
    const vault = this.#vault;
    const call = {
      op: 'importKey',
      vault,
      objectId,
      file,
      hasPassword: password !== null,
    } as const;
    try {
      return keyFromWire(await this.#attempt<WireKey>(call, undefined, password));
    } catch (failure) {
      throw asAgentError(failure, 'took a key over');
    } finally {
      password?.fill(0);
    }
  }

  async destroy(objectId: string, publicKey: Uint8Array | null): Promise<void> {
    const expected = publicKey === null ? null : Buffer.from(publicKey).toString('base64url');
    await this.#again({ op: 'destroy', vault: this.#vault, objectId, publicKey: expected });
  }

  async list(): Promise<readonly VaultObject[]> {
    const call = { op: 'list', vault: this.#vault } as const;
    return (await this.#again<readonly WireObject[]>(call, listTime)).map(objectFromWire);
  }

  attest(key: VaultKey, nonce: Uint8Array): Promise<Readonly<Record<string, unknown>>> {
    const nonce_b64 = Buffer.from(nonce).toString('base64url');
    return this.#again({ op: 'attest', vault: this.#vault, key: wireKey(key), nonce_b64 });
  }

  evidence(key: VaultKey): Promise<Readonly<Record<string, unknown>> | null> {
    return this.#again({ op: 'evidence', vault: this.#vault, key: wireKey(key) });
  }

  async #readSeal(): Promise<Seal | null> {
    const call = { op: 'readSeal', vault: this.#vault } as const;
    const seal = await this.#again<{ key: string; counter: number } | null>(call);
    if (seal === null) return null;
    return { key: Buffer.from(seal.key, 'base64url'), counter: seal.counter };
  }

  /**
   * A module that hangs or crashes as it writes a seal keeps none: it would again, and each time takes the signatures
   * of that moment with it.
   */
  async #writeSeal({ key, counter }: Seal): Promise<void> {
    const seal = { key: Buffer.from(key).toString('base64url'), counter };
    const call = { op: 'writeSeal', vault: this.#vault, seal } as const;
    if (this.#lostInSeal < mostLostInSeal) {
      try {
        await this.#attempt(call);
        this.#lostInSeal = 0;
        return;
      } catch (failure) {
        if (!(failure instanceof HostLost) || failure.end.isExpected) {
          await this.#afterFailure(failure, call);
          return;
        }
        this.#lostInSeal += 1;
      }
    }
    throw new AgentError(
      'not_supported',
      'the token cannot keep a private data object: its module did not come back from writing one',
    );
  }

  /** What came of it when the process was lost is for the caller to find out. */
  async #once<Result>(call: HostCall, doing: string, timeLimit?: number): Promise<Result> {
    try {
      return await this.#attempt<Result>(call, timeLimit);
    } catch (failure) {
      throw asAgentError(failure, doing);
    }
  }

  /** A call that may be made twice. */
  async #again<Result>(call: HostCall, timeLimit?: number): Promise<Result> {
    try {
      return await this.#attempt<Result>(call, timeLimit);
    } catch (failure) {
      return this.#afterFailure<Result>(failure, call, timeLimit);
    }
  }

  async #afterFailure<Result>(
    failure: unknown,
    call: HostCall,
    timeLimit?: number,
  ): Promise<Result> {
    const again =
      failure instanceof HostFailure
        ? failure.fatal || failure.loginLost
        : failure instanceof HostLost;
    if (!again) throw failure;
    return this.#once<Result>(call, `did ${call.op}`, timeLimit);
  }
}
