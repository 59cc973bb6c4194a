import type * as z from 'zod';
import type { AlgorithmName, BackendName } from '../api/signing-backend.ts';
import type { Finding } from '../base/finding.ts';
import type { ServeKind } from './hosted.ts';
import type { InitWords } from './init-words.ts';
import type { KeyringBackup } from './keyring-backup.ts';
import type {
  BackupWorld,
  ExamineWith,
  HostNeeds,
  Named,
  OpenedVault,
  OpenWith,
  RecordsPlace,
  TableWhere,
} from './kind-calls.ts';
import type { Resealed, ResealRequest, ResealWorld } from './keyring-reseal.ts';
import type { KindOfCa } from './kind-of-ca.ts';
import type { PinPlace } from './pin-place.ts';

/**
 * A kind of backend: everything about it that anybody else has to know. It is an entry of the table
 * `kinds/kinds.ts`, and stands in the backend's own folder. Nobody asks a keyring for its backend by name.
 *
 * The entry is loaded by every program (agent, agentctl, vault host), so it imports nothing large: what opens, looks or
 * serves is imported when it is called, zod comes in through `keys`. A kind whose device is opened by a child process
 * answers `open` through `OpenWith.hosts`, and begins the other side in `serve`, the one place that may load a
 * vendor's code. A PIN that is optional is one that `pin` answers null for: `OpenWith.pins` is null then, and the vault
 * host is sent none. What keys are protected by is not for the entry to say, but for the vault once it is open
 * (`Vault.protection`), so that it may differ by algorithm.
 *
 * `Given`: its keys in `[keyrings.NAME]`, as they were read. `GivenOfCa`: those in `[cluster]`. `Place`: where keys are
 * (a file, a token, a device), what a keyring and the CA of a cluster have in common. `Own`: the
 * settings of a keyring. Both are exported by their folder.
 */
export interface VaultKind<
  Given,
  GivenOfCa,
  Place extends { readonly backend: BackendName },
  Own extends Place,
> {
  readonly algorithms: readonly AlgorithmName[];
  /** Completes "keyrings.NAME.algorithm: " for any other algorithm. */
  readonly otherAlgorithm: string;

  /** Throws TableFault for what is wrong with the value of a key. */
  settings(given: Given, where: TableWhere): Own;

  algorithmOf(settings: Own): AlgorithmName;

  /** Where the key records are. */
  records(settings: Own): RecordsPlace;

  /**
   * Rejects with `backend_unavailable` where it is away or broken, `locked` where its PIN is missing or wrong,
   * `not_supported` where it does not have the algorithm, or protects keys less than required.
   */
  open(settings: Named<Own>, opening: OpenWith): Promise<OpenedVault>;

  /** What its child process needs; null for a kind that is opened in no vault host. */
  host(settings: Own): HostNeeds | null;

  /** The vault host's side; null for a kind that has none. */
  readonly serve: (() => Promise<ServeKind>) | null;

  /** Where its PIN comes from; null where it takes none. */
  pin(place: Place): PinPlace | null;

  /** As far as the configuration says: a PIN that one of them saw refused is not tried for the other. */
  isSameDevice(one: Place, other: Place): boolean;

  /** Copies of a keyring's keys; where there are none, why: it completes "keyring NAME ". */
  readonly backup: ((settings: Named<Own>, world: BackupWorld) => Promise<KeyringBackup>) | string;

  /**
   * Seals the key that the device keeps for a keyring anew; where it keeps none, why: it completes "keyring NAME ".
   * Nobody else has the device open for that keyring. Rejects as `open`, and with OldPinNeeded.
   */
  readonly reseal:
    | ((settings: Named<Own>, request: ResealRequest, world: ResealWorld) => Promise<Resealed>)
    | string;

  /** How the CA of a cluster is kept in it; null: it is not. */
  readonly ca: KindOfCa<GivenOfCa, Place, Own> | null;

  /** What `agentctl doctor` says of a keyring's device and PIN. Never logs in, changes nothing. */
  examine(settings: Named<Own>, looking: ExamineWith): Promise<readonly Finding[]>;

  /** Whether the first key of a keyring is made by `agentctl init`, was there, or is left to the agent. */
  firstKey(settings: Own): 'to_make' | 'there' | 'by_agent';

  readonly init: InitWords;
  readonly words: KindWords;
}

/** A kind with the keys of its tables. Shapes are made of the zod that is handed in; see VaultKind. */
export interface KindEntry<
  Keys extends z.ZodRawShape,
  KeysOfCa extends z.ZodRawShape,
  Place extends { readonly backend: BackendName },
  Own extends Place,
> extends VaultKind<
  Given<Keys> & { readonly algorithm: AlgorithmName },
  Given<KeysOfCa>,
  Place,
  Own
> {
  /** Of `[keyrings.NAME]`, beside those that every kind has. */
  readonly keys: TableKeys<Keys>;
  /** Of `[cluster]`; empty where it keeps no CA. */
  readonly keysOfCa: TableKeys<KeysOfCa>;
}

/** Keys of a table, as they were read; of `Record<string, never>`, none. */
export type Given<Keys extends z.ZodRawShape> = string extends keyof Keys
  ? object
  : z.output<z.ZodObject<Keys>>;

/** Keys of a table that one kind has. */
export interface TableKeys<Keys extends z.ZodRawShape> {
  readonly shape: (fields: KeyFields) => Keys;
  /** What each is, to refuse it beside another kind: completes "only a pkcs11 keyring has ". */
  readonly nouns: Readonly<Record<keyof Keys & string, string>>;
}

/** What keys are made of. */
export interface KeyFields {
  /** Of zod what kinds use, and no more: the whole of it handed on could not be left out of the programs. */
  readonly z: Pick<typeof z, 'array' | 'boolean' | 'int' | 'string'>;
  /** A text such as `90s`, `15m`, `24h`, `7d`, as whole seconds. */
  readonly duration: z.ZodType<number, string>;
}

/** Words for people. */
interface KindWords {
  /** Completes "keyring NAME " for who would lock or unlock one that takes no PIN. */
  readonly withoutPin: string;
  /** What `status` says where an older copy of the key records is not noticed. */
  readonly withoutSeal: string;
}
