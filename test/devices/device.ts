import type { AlgorithmName } from '../../src/api/signing-backend.ts';
import type { TokenObject } from '../support/token-objects.ts';
import type { OtherProgram } from './setup/token-program.ts';

/** Where another release of Debian is needed than the one that the tests run on. */
export type Release = 'installed' | 'trixie' | 'forky';

/** A difference from what the suite expects of every module, and why it is right. */
export interface Difference<Value> {
  readonly value: Value;
  readonly why: string;
}

/** A kind of token, as the suite needs to know it. Every difference from the others has its reason with it. */
export interface Device {
  /** Of the test file, of the results and of the documents. */
  readonly name: string;
  /** The module's own name and, where it is so, what stands in for the hardware. */
  readonly title: string;
  /** What emulates or simulates the device; null: nothing does. */
  readonly emulator: string | null;
  /** Absent: a PKCS#11 module. */
  readonly backend?: 'tpm';
  readonly release: Release;
  readonly algorithms: readonly AlgorithmName[];
  /** Those that every run takes; the others run with all devices. */
  readonly always: readonly AlgorithmName[];
  /** Why other algorithms are not there. */
  readonly without: string | null;
  readonly protection: 'hardware' | 'software';
  /** The longest message that can be signed, bytes; absent: as long as a frame lets it be. */
  readonly messageLimit?: Partial<Record<AlgorithmName, Difference<number>>>;
  /** Absent: the empty message is signed. */
  readonly emptyMessage?: Partial<Record<AlgorithmName, Difference<'not_supported'>>>;
  /** Absent: the token keeps a seal of the records. */
  readonly keepsSeal?: Difference<false>;
  /** What the device says of a key in the place of the attributes of PKCS#11; absent: those. */
  readonly evidence?: Partial<Record<AlgorithmName, Readonly<Record<string, unknown>>>>;
  /** Absent: it attests none of its keys. */
  readonly attests?: readonly AlgorithmName[];
  /** What `agentctl doctor` says of the device; absent: that its module is there, and the token's label. */
  readonly doctor?: { readonly running: RegExp; readonly stopped: RegExp };
  /** What the token says of a key otherwise than the standard would have it; null: not known to it. */
  readonly attributes?: Readonly<Record<string, Difference<boolean | null>>>;
  /** Absent: PINs may be tried as often as the suite likes (it tries two). */
  readonly wrongPins?: Difference<number>;
  /** Absent: the token keeps data objects of other programs. */
  readonly dataObjects?: Difference<false>;
  /** Absent: they may be private. */
  readonly privateDataObjects?: Difference<false>;
  /** Bytes of a key id that another program gives; 16 unless said. */
  readonly idBytes?: Difference<number>;
  /** Says why it cannot run here; null: it can. */
  unavailable(): string | null;
  /** A fresh token of its own. */
  make(): Promise<DeviceToken>;
}

/** A token that the suite runs on. */
export interface DeviceToken {
  /** Lines of a keyring's table that say where its keys are. `pinFile`: null for a keyring that starts locked. */
  place(pinFile: string | null): string;
  /** Label of the token. */
  readonly label: string;
  readonly pin: string;
  /** For agent and vault host. */
  readonly environment: Readonly<Record<string, string>>;
  /** Names of variables that the configuration hands on to the vault host. */
  readonly variables: readonly string[];
  readonly libraryParameters: string | null;
  /** Words before each command that loads the module. */
  readonly launcher: readonly string[];
  /** Another program on the token. */
  readonly program: OtherProgram;
  /** What there is of the default keyring, for keys whose files are in the agent's state dir; absent: as `program` lists. */
  objects?(stateDir: string): Promise<readonly TokenObject[]>;
  /** What the device's owner would do about a lockout; absent: it has none. */
  endLockout?(): Promise<void>;
  remove(): Promise<void>;
}
