import type { Socket } from 'node:net';
import { AgentError, describeFailure } from '../../base/errors.ts';
import type { Protection } from '../../api/signing-backend.ts';
import { algorithms } from '../../algorithms/algorithm.ts';
import type { PinRefusal } from '../pin-gate.ts';
import { CKR, nameOfReturnValue } from '../pkcs11/cryptoki.ts';
import {
  isFatal,
  isGivenTwice,
  isLoginLost,
  isReturnValue,
  returnValueOf,
} from '../pkcs11/errors.ts';
import { KnownPins } from '../pkcs11/known-pins.ts';
import type { Shield } from '../pkcs11/login.ts';
import { Pkcs11Modules } from '../pkcs11/module.ts';
import type { ModuleWorld } from '../pkcs11/module-log.ts';
import { openPkcs11Vault } from '../pkcs11/pkcs11-vault.ts';
import type { TokenVault } from '../pkcs11/token-vault.ts';
import { frameKinds, frameOf, FrameReader, type Frame } from './frames.ts';
import {
  jsonPayload,
  keyFromWire,
  readCall,
  readSign,
  wireKey,
  wireObject,
  type Call,
  type Failure,
  type Note,
  type Opened,
  type VaultNumber,
} from './messages.ts';

export interface HostServerOptions {
  /** To the agent. Its end is the end of this process. */
  readonly channel: Socket;
  readonly world: Omit<ModuleWorld, 'log'>;
  readonly shield: Shield;
  /** Of the thread pool. */
  readonly threads: number;
  /** What the module sees. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Kill tests end this process at certain steps. */
  readonly reached: (step: string) => void;
  /** Called once everything was closed. */
  readonly stopped: () => void;
}

/** Answers that may wait for each other, and for how many milliseconds at most. */
const mostHeld = 8;
const longestHold = 2;
/** Signatures a thread that must be left when answers wait. */
const enoughAtWork = 3;

/** The vault host's side of the channel: opens tokens, signs, and answers in any order. */
export class HostServer {
  readonly #options: HostServerOptions;
  readonly #modules = new Pkcs11Modules();
  readonly #vaults = new Map<VaultNumber, TokenVault>();
  readonly #protections = new Map<VaultNumber, Protection>();
  readonly #reader = new FrameReader();
  readonly #knownPins: KnownPins;
  #working = 0;
  #out: Buffer[] = [];
  #flushPlanned = false;
  #holding = false;

  constructor(options: HostServerOptions) {
    this.#options = options;
    this.#knownPins = new KnownPins(options.world.randomBytes(32));
    options.channel.on('data', (piece: Buffer) => {
      this.#receive(piece);
    });
    this.#note({ note: 'started' });
  }

  #receive(piece: Buffer): void {
    const frames: Frame[] = [];
    this.#reader.read(piece, (frame) => frames.push(frame));
    const alone = frames.length === 1 && this.#working === 0;
    for (const frame of frames) {
      if (frame.kind === frameKinds.sign) this.#sign(frame, alone);
      else this.#call(frame);
    }
  }

  #sign({ id, payload }: Frame, alone: boolean): void {
    const { vault: number, key, message } = readSign(payload);
    try {
      const vault = this.#vault(number);
      const signature = alone ? vault.signAlone(key, message) : vault.sign(key, message);
      if (signature instanceof Uint8Array) {
        this.#options.channel.write(frameOf(id, frameKinds.done, signature));
      } else {
        this.#working += 1;
        signature.then(
          (made) => {
            this.#settle(number, frameOf(id, frameKinds.done, made));
          },
          (failure: unknown) => {
            this.#settle(number, failedFrame(id, failure));
          },
        );
      }
    } catch (failure) {
      this.#send(failedFrame(id, failure));
    }
  }

  #call({ id, payload }: Frame): void {
    const { call, secret } = readCall(payload);
    this.#working += 1;
    this.#act(call, secret).then(
      (result) => {
        this.#settle(vaultOf(call), frameOf(id, frameKinds.done, jsonPayload(result)));
        if (call.op !== 'stop') return;
        this.#flush();
        this.#options.channel.end(this.#options.stopped);
      },
      (failure: unknown) => {
        this.#settle(vaultOf(call), failedFrame(id, failure));
      },
    );
  }

  async #act(call: Call, secret: Buffer): Promise<unknown> {
    switch (call.op) {
      case 'open':
        return this.#open(call, secret);
      case 'login': {
        const pin = ownCopy(secret);
        try {
          this.#vault(call.vault).logInAgain(pin);
        } finally {
          pin.fill(0);
        }
        return this.#opened(call.vault);
      }
      case 'generate': {
        const key = await this.#vault(call.vault).generate(call.objectId);
        this.#options.reached('host/generated');
        return wireKey(key);
      }
      case 'adopt': {
        const key = await this.#vault(call.vault).adopt(call.objectId);
        return key === null ? null : wireKey(key);
      }
      case 'destroy':
        await this.#destroy(call);
        this.#options.reached('host/destroyed');
        return null;
      case 'list':
        return (await this.#vault(call.vault).list()).map(wireObject);
      case 'evidence':
        return this.#vault(call.vault).evidence(keyFromWire(call.key));
      case 'readSeal': {
        const seal = await this.#vault(call.vault).sealStore.read();
        if (seal === null) return null;
        return { key: Buffer.from(seal.key).toString('base64url'), counter: seal.counter };
      }
      case 'writeSeal': {
        const key = Buffer.from(call.seal.key, 'base64url');
        await this.#vault(call.vault).sealStore.write({ key, counter: call.seal.counter });
        this.#options.reached('host/sealed');
        return null;
      }
      case 'close':
        await this.#close(call.vault);
        return null;
      case 'stop':
        for (const number of [...this.#vaults.keys()]) await this.#close(number);
        return null;
    }
  }

  async #open(call: Extract<Call, { op: 'open' }>, secret: Buffer): Promise<unknown> {
    const pin = ownCopy(secret);
    const { vault: number, keyring, uri, algorithm, sessions, libraryParameters } = call;
    await this.#close(number);
    const vault = await openPkcs11Vault({
      uri: { ...uri, id: null, pinSource: null },
      keyring,
      algorithm: algorithms[algorithm],
      libraryParameters,
      sessions,
      pin,
      modules: this.#modules,
      world: { ...this.#options.world, log: this.#log() },
      environment: this.#options.environment,
      shield: this.#options.shield,
      knownPins: this.#knownPins,
    });
    this.#vaults.set(number, vault);
    this.#protections.set(number, vault.protection);
    return this.#opened(number);
  }

  #opened(number: VaultNumber): Opened {
    const { protection, ids, takenIds } = this.#vault(number);
    return { protection, ids, takenIds };
  }

  async #destroy(call: Extract<Call, { op: 'destroy' }>): Promise<void> {
    const vault = this.#vault(call.vault);
    const publicKey = call.publicKey === null ? null : Buffer.from(call.publicKey, 'base64url');
    await vault.destroy(call.objectId, publicKey);
    // Before the answer: nothing that comes after it may be made here.
    if (vault.worn) this.#note({ note: 'worn', reason: 'the first object of its token is gone' });
  }

  async #close(number: VaultNumber): Promise<void> {
    const vault = this.#vaults.get(number);
    this.#vaults.delete(number);
    await vault?.close();
  }

  #vault(number: VaultNumber): TokenVault {
    const vault = this.#vaults.get(number);
    if (vault !== undefined) return vault;
    throw new AgentError('backend_unavailable', 'this token is not open in its vault host');
  }

  #settle(number: VaultNumber | null, answer: Buffer): void {
    this.#working -= 1;
    if (number !== null) this.#noteProtection(number);
    this.#send(answer);
  }

  /** Before the answer that it came with: a key that is no hardware key must not be called one for a moment. */
  #noteProtection(vault: VaultNumber): void {
    const protection = this.#vaults.get(vault)?.protection;
    const known = this.#protections.get(vault);
    if (protection === undefined || protection === known) return;
    this.#protections.set(vault, protection);
    this.#note({ note: 'protection', vault, protection });
  }

  #log(): ModuleWorld['log'] {
    const at =
      (level: 'info' | 'warn' | 'error') =>
      (fields: Readonly<Record<string, unknown>>, message: string): void => {
        this.#note({ note: 'log', level, fields, message });
      };
    return { info: at('info'), warn: at('warn'), error: at('error') };
  }

  #note(note: Note): void {
    this.#send(frameOf(0, frameKinds.note, jsonPayload(note)));
  }

  /**
   * Answers are written together: what is ready by the end of this turn of the event loop, and while enough
   * signatures are under way to keep every thread at work, a few more, for a moment. Each write wakes the agent
   * and then its client, which costs them more than the answer itself.
   */
  #send(frame: Buffer): void {
    this.#out.push(frame);
    if (this.#flushPlanned) return;
    if (this.#out.length < mostHeld && this.#working >= enoughAtWork * this.#options.threads) {
      if (!this.#holding) {
        this.#holding = true;
        setTimeout(() => {
          this.#holding = false;
          this.#flush();
        }, longestHold);
      }
      return;
    }
    this.#flushPlanned = true;
    setImmediate(() => {
      this.#flushPlanned = false;
      this.#flush();
    });
  }

  #flush(): void {
    const out = this.#out;
    if (out.length === 0) return;
    this.#out = [];
    this.#options.channel.write(out.length === 1 && out[0] ? out[0] : Buffer.concat(out));
  }
}

/** Wipes what it came in. */
function ownCopy(secret: Buffer): Buffer {
  const copy = Buffer.alloc(secret.length, secret);
  secret.fill(0);
  return copy;
}

function vaultOf(call: Call): VaultNumber | null {
  return call.op === 'stop' ? null : call.vault;
}

function failedFrame(id: number, thrown: unknown): Buffer {
  return frameOf(id, frameKinds.failed, jsonPayload(failureOf(thrown)));
}

function failureOf(thrown: unknown): Failure {
  if (!(thrown instanceof AgentError)) {
    // The agent logs it whole: here is nobody who would.
    const text = thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown);
    const message = `vault host: ${text}`;
    return {
      kind: 'internal',
      message,
      details: {},
      fatal: false,
      loginLost: false,
      givenTwice: false,
      pinRefusal: null,
    };
  }
  const { kind, message, details } = thrown;
  return {
    kind,
    message,
    details,
    fatal: isFatal(thrown),
    loginLost: isLoginLost(thrown),
    givenTwice: isGivenTwice(thrown),
    pinRefusal: pinRefusalOf(thrown),
  };
}

function pinRefusalOf({ kind, cause }: AgentError): PinRefusal | null {
  if (kind !== 'locked' || cause === undefined) return null; // the token was not asked
  const value = returnValueOf(cause);
  const reason = value === null ? describeFailure(cause) : nameOfReturnValue(value);
  const incorrect = isReturnValue(cause, CKR.PIN_INCORRECT, CKR.PIN_INVALID, CKR.PIN_LEN_RANGE);
  return { kind: incorrect ? 'incorrect' : 'closed', reason };
}
