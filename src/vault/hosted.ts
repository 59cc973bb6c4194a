import type { Algorithm } from '../algorithms/algorithm.ts';
import type { AlgorithmName, BackendName, Protection } from '../api/signing-backend.ts';
import type { AgentError } from '../base/errors.ts';
import type { Files } from '../base/files.ts';
import type { World } from '../base/world.ts';
import type { PinGate, PinRefusal } from './pin-gate.ts';
import type { IdForm } from './key-names.ts';
import type { Vault, VaultKey } from './vault.ts';

/**
 * The two sides of a vault whose device is opened by a child process, the vault host: so that a vendor's library or a
 * driver that crashes or hangs takes nothing else with it. What is the same for all such kinds is in `host/`.
 */

/** What a child process opens, in the words of its kind. */
export interface HostedTarget {
  readonly backend: BackendName;
  /**
   * What one process serves: keyrings with the same one share it, and no two processes have it at a time. The real
   * path of a module, or of a device.
   */
  readonly shared: string;
  /** What its keys are called in the device. */
  readonly label: string;
  /** For `HostedKind.open` on the other side: sent as JSON, and so nothing secret. */
  readonly place: unknown;
}

/** What a keyring's vault is opened with in a vault host. */
export interface HostedOpening {
  readonly target: HostedTarget;
  readonly keyring: string;
  readonly algorithm: Algorithm;
  /** Signatures at a time. */
  readonly sessions: number;
  /** A call that takes longer is taken for hung, milliseconds. */
  readonly callTimeout: number;
  /** null: the device wants no PIN, and none is sent. */
  readonly pins: PinGate | null;
  /** Throws where this protection is less than the configuration requires. */
  readonly refuseProtection: (protection: Protection) => void;
  /** As the text of Vault.importKey; null where it takes keys. */
  readonly noImport: string | null;
  readonly world: World;
}

/** The vault hosts of an agent, one for each that is shared. */
export interface VaultHosts {
  /**
   * Rejects with `backend_unavailable` (process, library or device), `locked` (PIN), `not_supported` (the device does
   * not have the algorithm, or protects keys less than required).
   */
  openVault(opening: HostedOpening): Promise<Vault>;
}

/** Of the child process, for what it opens. */
interface HostedWorld {
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** Resolves that many milliseconds from now. */
  readonly pause: (milliseconds: number) => Promise<void>;
  readonly randomBytes: (size: number) => Buffer;
  readonly files: Files;
  /** See World. */
  readonly testPoint: (step: string) => void;
  /** What the library that is loaded sees. */
  readonly environment: Readonly<Record<string, string | undefined>>;
}

/** Around what must not be cut off when the agent ends: a library that notes a login in its files. */
export type Shield = <T>(work: () => T) => T;

/** What the child process is asked to open. */
interface HostedRequest {
  /** As the agent's side of the kind made it. */
  readonly place: unknown;
  readonly keyring: string;
  readonly algorithm: AlgorithmName;
  readonly sessions: number;
  /** What the library is started with; null for none. */
  readonly libraryParameters: string | null;
  /** UTF-8, empty where there is none. Wiped before the opening settles, whatever the outcome. */
  readonly pin: Buffer;
  readonly log: HostedLog;
}

/** Reaches the agent's log. */
export type HostedLog = Readonly<
  Record<
    'info' | 'warn' | 'error',
    (fields: Readonly<Record<string, unknown>>, message: string) => void
  >
>;

/** Where a signature failed that a thread was to make, and with what. */
export interface SignerFailure {
  readonly step: 'init' | 'sign' | 'length';
  /** A CK_RV, 0 where the failure had none; of `length`, the bytes that came back. */
  readonly value: number;
}

/** What such a thread is asked. Session and key are handles of PKCS#11, which hold in the whole process. */
export interface SignerTask {
  readonly algorithm: AlgorithmName;
  readonly session: Buffer;
  readonly key: Buffer;
  /** The other half of that key, raw. */
  readonly publicKey: Buffer;
  readonly message: Buffer;
}

/** Signs on the thread that calls it: 64 bytes, not verified and valid until the next call, or what failed. */
export type ThreadSigner = (task: SignerTask) => Uint8Array | SignerFailure;

/** What a vault lends to threads that do nothing but sign. */
export interface Lending {
  /** Real path of the module, for a ThreadSigner. */
  readonly library: string;
  /** Bytes of the longest message that they may be given; null where nothing is known. */
  readonly longest: number | null;
  /** A session for a thread alone; null where the device has none to spare. Throws what the device does. */
  lend(): Buffer | null;
  /** Nothing uses it any more. `failure`: what it was used for failed so. */
  takeBack(session: Buffer, failure: SignerFailure | null): void;
  /** The private key's handle, once the key was proved here; null before. */
  handleOf(key: VaultKey): Buffer | null;
  /** As `sign`, after the first attempt failed so on a thread. */
  signAfter(key: VaultKey, message: Uint8Array, failure: SignerFailure): Promise<Uint8Array>;
}

/** A vault as the child process has it. */
export interface ServedVault extends Vault {
  /** What ids of new keys look like. */
  readonly ids: IdForm;
  /** Ids, in hex, that no new key may have. */
  readonly takenIds: readonly string[];
  /**
   * True once what was done here makes the next object of this process unsafe: another process is to open the device
   * before anything is made.
   */
  readonly worn: boolean;
  /** The key that another process made under this id and could not answer for, proved; null where it made none. */
  adopt(objectId: string): Promise<VaultKey | null>;
  /** null where nothing but the vault itself can sign. */
  readonly lending: Lending | null;
  /** As `sign`, on this thread where that can be: for a signature that nothing else waits beside. */
  signAlone(key: VaultKey, message: Uint8Array): Uint8Array | Promise<Uint8Array>;
  /** After the device has forgotten the login. Throws `locked` where it refuses the PIN, which stays the caller's. */
  logInAgain(pin: Buffer): void;
}

/** What the agent has to know of a failure in the child process, beside its kind and message. */
export interface HostedFailure {
  /** The process is in a state that only another one gets out of. */
  readonly fatal: boolean;
  /** The device has forgotten the login; nothing was done. */
  readonly loginLost: boolean;
  /** Two objects have one handle: what was made is to be found by its id, in another process. */
  readonly givenTwice: boolean;
  /** This process has no room for the key that was to be made: nothing was, and another process has room. */
  readonly full: boolean;
  /** Set where the device refused the PIN, or takes none. */
  readonly pinRefusal: PinRefusal | null;
  /** The login failed, and whether the device has looked at the PIN its answer does not say. */
  readonly pinInDoubt: boolean;
}

/** The child process's side of a kind, for as long as that process lives. */
export interface HostedKind {
  /**
   * Loads what has to be loaded and looks for the device, without a PIN: so that what fails here is told apart from a
   * login. Rejects as `open`, but for what concerns a PIN.
   */
  prepare(request: Pick<HostedRequest, 'place' | 'libraryParameters'>): Promise<void>;
  /** Rejects as `VaultHosts.openVault`. */
  open(request: HostedRequest): Promise<ServedVault>;
  failureOf(failure: AgentError): HostedFailure;
}

/** Begins that side; nothing is loaded or opened yet. */
export type ServeKind = (world: HostedWorld, shield: Shield) => HostedKind;
