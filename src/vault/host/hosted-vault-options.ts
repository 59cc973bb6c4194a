import type { HostedOpening } from '../hosted.ts';
import type { ModuleHost } from './module-host.ts';

/** What a vault is opened with in the host that it was given. */
export interface HostedVaultOptions extends HostedOpening {
  readonly host: ModuleHost;
  /** What the library is started with; null for none. */
  readonly libraryParameters: string | null;
  /** Called for each signature that does not verify. */
  readonly noteWrong: () => void;
}
