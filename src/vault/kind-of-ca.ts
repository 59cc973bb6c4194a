import type { Finding } from '../base/finding.ts';
import type { ExamineWith, Named, OpenWith, TableFault } from './kind-calls.ts';
import type { Vault, VaultObject } from './vault.ts';

/** How a kind of backend keeps the CA of a cluster; its types are those of VaultKind. */
export interface KindOfCa<GivenOfCa, Place, Own> {
  /** Throws TableFault. */
  settings(given: GivenOfCa, where: CaWhere): Place;

  /** Rejects as VaultKind.open. */
  open(place: Named<Place>, opening: OpenWith): Promise<OpenedCa>;

  /**
   * A keyring that had the CA's key for one of its own would sign with it for everybody: what is wrong with which key
   * of its table, null where nothing is. `ca`: the CA's place, where it is of this kind.
   */
  clash(settings: Named<Own>, where: CaWhere & { readonly ca: Place | null }): TableFault | null;

  /** The same by another name of the same file: looks at the file system. */
  clashByAnotherName(settings: Named<Own>, where: CaWhere): TableFault | null;

  /** As VaultKind.examine. `shared`: a library is started for the keyrings on it too. */
  examine(
    place: Named<Place>,
    looking: ExamineWith,
    shared: SharedLibraries,
  ): Promise<readonly Finding[]>;
}

/** What the keyrings of an agent say of the libraries that they are on. */
export interface SharedLibraries {
  /** What each is started with, by its real path. */
  readonly parameters: ReadonlyMap<string, string>;
  /** Names of variables that vault hosts have beside the usual ones. */
  readonly environment: readonly string[];
}

interface CaWhere {
  /** The name that is kept for it: no keyring has it. */
  readonly name: string;
  readonly stateDir: string;
}

/** The place of a CA, open. */
export interface OpenedCa {
  readonly vault: Vault;
  /** The file or the token, for messages. */
  readonly where: string;
  /** When a key that is there was made, milliseconds since the epoch; null where nothing says it. */
  readonly madeAt: (object: VaultObject) => number | null;
}
