import type { Socket } from 'node:net';
import { AgentError } from '../../base/errors.ts';
import type { BackendName, Protection } from '../../api/signing-backend.ts';
import type { HostedFailure, HostedKind, HostedLog, ServedVault } from '../hosted.ts';
import type { SealStore, VaultKey } from '../vault.ts';
import { frameKinds, frameOf, FrameReader, type Frame } from './frames.ts';
import {
  jsonPayload,
  keyFromWire,
  readCall,
  readSign,
  readSignAfter,
  signedPayload,
  wireKey,
  wireObject,
  type HostCall,
  type Failure,
  type Note,
  type Opened,
  type VaultNumber,
} from './messages.ts';
import type { SignerThreads } from './signer-threads.ts';

export interface HostServerOptions {
  /** To the agent. Its end is the end of this process. */
  readonly channel: Socket;
  /** Begins the side of a kind that this process has; rejects for one that is opened in no vault host. */
  readonly serve: (backend: BackendName) => Promise<HostedKind>;
  /** Those that do nothing but sign. */
  readonly signers: SignerThreads;
  /** Kill tests end this process at certain steps. */
  readonly testPoint: (step: string) => void;
  /** Called once everything was closed. */
  readonly stopped: () => void;
}

/** The vault host's side of the channel: opens tokens, signs, and answers in any order. */
export class HostServer {
  readonly #options: HostServerOptions;
  readonly #vaults = new Map<VaultNumber, ServedVault>();
  /** What is opened here: since one process serves one module or device, of one kind alone. */
  #kind: HostedKind | null = null;
  readonly #protections = new Map<VaultNumber, Protection>();
  readonly #reader = new FrameReader();
  #working = 0;
  #out: Buffer[] = [];

  constructor(options: HostServerOptions) {
    this.#options = options;
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
      else if (frame.kind === frameKinds.signAfter) this.#signAfter(frame);
      else this.#call(frame);
    }
  }

  #sign({ id, payload }: Frame, alone: boolean): void {
    const { vault: number, key, message } = readSign(payload);
    this.#answerWith(id, number, key, (vault) =>
      alone ? vault.signAlone(key, message) : vault.sign(key, message),
    );
  }

  /** A thread has met a failure. What that means its vault knows; then the thread gets another session. */
  #signAfter({ id, payload }: Frame): void {
    const { channel, failure, signature } = readSignAfter(payload);
    const { vault: number, key, message } = readSign(signature);
    this.#answerWith(id, number, key, (vault) => {
      const { lending } = vault;
      if (lending === null) return vault.sign(key, message);
      const { signers } = this.#options;
      signers.discard(number, lending, channel, failure);
      return lending.signAfter(key, message, failure).finally(() => {
        const session = signers.renew(number, lending, channel);
        this.#note({ note: 'session', vault: number, channel, session });
      });
    });
  }

  #answerWith(
    id: number,
    number: VaultNumber,
    key: VaultKey,
    sign: (vault: ServedVault) => Uint8Array | Promise<Uint8Array>,
  ): void {
    try {
      const vault = this.#vault(number);
      const answer = (made: Uint8Array): Buffer =>
        frameOf(id, frameKinds.done, signedPayload(made, vault.lending?.handleOf(key) ?? null));
      const signature = sign(vault);
      if (signature instanceof Uint8Array) {
        this.#options.channel.write(answer(signature));
      } else {
        this.#working += 1;
        signature.then(
          (made) => {
            this.#settle(number, answer(made));
          },
          (failure: unknown) => {
            this.#settle(number, this.#failed(id, failure));
          },
        );
      }
    } catch (failure) {
      this.#send(this.#failed(id, failure));
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
        this.#settle(vaultOf(call), this.#failed(id, failure));
      },
    );
  }

  async #act(call: HostCall, secret: Buffer): Promise<unknown> {
    switch (call.op) {
      case 'prepare': {
        const { backend, place, libraryParameters } = call;
        this.#kind ??= await this.#options.serve(backend);
        await this.#kind.prepare({ place, libraryParameters });
        return null;
      }
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
        this.#options.testPoint('host/generated');
        return wireKey(key);
      }
      case 'importKey':
        return this.#importKey(call, secret);
      case 'adopt': {
        const key = await this.#vault(call.vault).adopt(call.objectId);
        return key === null ? null : wireKey(key);
      }
      case 'destroy':
        await this.#destroy(call);
        this.#options.testPoint('host/destroyed');
        return null;
      case 'list':
        return (await this.#vault(call.vault).list()).map(wireObject);
      case 'attest': {
        const nonce = Buffer.from(call.nonce_b64, 'base64url');
        return this.#vault(call.vault).attest(keyFromWire(call.key), nonce);
      }
      case 'evidence':
        return this.#vault(call.vault).evidence(keyFromWire(call.key));
      case 'readSeal': {
        const seal = await this.#seals(call.vault).read();
        if (seal === null) return null;
        return { key: Buffer.from(seal.key).toString('base64url'), counter: seal.counter };
      }
      case 'writeSeal': {
        const key = Buffer.from(call.seal.key, 'base64url');
        await this.#seals(call.vault).write({ key, counter: call.seal.counter });
        this.#options.testPoint('host/sealed');
        return null;
      }
      case 'lend': {
        const { lending } = this.#vault(call.vault);
        return this.#options.signers.lend(call.vault, lending, call.threads);
      }
      case 'close':
        await this.#close(call.vault);
        return null;
      case 'stop':
        for (const number of [...this.#vaults.keys()]) await this.#close(number);
        return null;
    }
  }

  async #open(call: Extract<HostCall, { op: 'open' }>, secret: Buffer): Promise<unknown> {
    const pin = ownCopy(secret);
    const { vault: number, backend, place, keyring, algorithm, sessions } = call;
    const { libraryParameters } = call;
    try {
      await this.#close(number);
      this.#kind ??= await this.#options.serve(backend);
      const log = this.#log();
      const vault = await this.#kind.open({
        ...{ place, keyring, algorithm, sessions, libraryParameters },
        ...{ pin, log },
      });
      this.#vaults.set(number, vault);
      this.#protections.set(number, vault.protection);
      return this.#opened(number);
    } finally {
      pin.fill(0);
    }
  }

  #opened(number: VaultNumber): Opened {
    const { protection, ids, takenIds } = this.#vault(number);
    return { protection, ids, takenIds };
  }

  async #importKey(call: Extract<HostCall, { op: 'importKey' }>, secret: Buffer): Promise<unknown> {
    const password = ownCopy(secret);
    try {
      const { importKey } = this.#vault(call.vault);
      // The agent asks no vault that takes none.
      if (typeof importKey === 'string') throw new AgentError('not_supported', importKey);
      const { objectId, file, hasPassword } = call;
      return wireKey(await importKey(objectId, { file, password: hasPassword ? password : null }));
    } finally {
      password.fill(0);
    }
  }

  async #destroy(call: Extract<HostCall, { op: 'destroy' }>): Promise<void> {
    const vault = this.#vault(call.vault);
    const publicKey = call.publicKey === null ? null : Buffer.from(call.publicKey, 'base64url');
    await vault.destroy(call.objectId, publicKey);
    // Before the answer: nothing that comes after it may be made here.
    if (vault.worn) this.#note({ note: 'worn', reason: 'the first object of its token is gone' });
  }

  async #close(number: VaultNumber): Promise<void> {
    const vault = this.#vaults.get(number);
    this.#vaults.delete(number);
    if (vault === undefined) return;
    this.#options.signers.takeBack(number, vault.lending);
    await vault.close();
  }

  #vault(number: VaultNumber): ServedVault {
    const vault = this.#vaults.get(number);
    if (vault !== undefined) return vault;
    throw new AgentError('backend_unavailable', 'this token is not open in its vault host');
  }

  #seals(number: VaultNumber): SealStore {
    const { sealStore } = this.#vault(number);
    if (sealStore !== null) return sealStore;
    throw new AgentError('not_supported', 'this device keeps no seal of key records');
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

  #log(): HostedLog {
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

  #failed(id: number, thrown: unknown): Buffer {
    return frameOf(id, frameKinds.failed, jsonPayload(this.#failureOf(thrown)));
  }

  #failureOf(thrown: unknown): Failure {
    if (!(thrown instanceof AgentError)) {
      // The agent logs it whole: here is nobody who would.
      const text = thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown);
      return { kind: 'internal', message: `vault host: ${text}`, details: {}, ...plain };
    }
    const { kind, message, details } = thrown;
    return { kind, message, details, ...(this.#kind?.failureOf(thrown) ?? plain) };
  }

  /** Answers are written together: what is ready by the end of this turn of the event loop. */
  #send(frame: Buffer): void {
    this.#out.push(frame);
    if (this.#out.length > 1) return;
    setImmediate(() => {
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

function vaultOf(call: HostCall): VaultNumber | null {
  return call.op === 'stop' ? null : call.vault;
}

/** The device was not asked, or said nothing that the agent has to know beside it. */
const plain: HostedFailure = {
  fatal: false,
  loginLost: false,
  givenTwice: false,
  full: false,
  pinRefusal: null,
  pinInDoubt: false,
};
