import type { HostedOpening, VaultHosts } from '../hosted.ts';
import { HostedVault } from './hosted-vault.ts';
import { ModuleHost } from './module-host.ts';

/** How vault hosts are started. */
export interface HostLaunch {
  /** Path of the script that a child process runs. */
  readonly program: string;
  /** All that it has of an environment, see hostEnvironment. */
  readonly environment: Readonly<Record<string, string>>;
  /** Threads of each that may sign. */
  readonly signers: number;
  /** For C_Initialize, by the real path of the module that wants them. */
  readonly libraryParameters: ReadonlyMap<string, string>;
}

/** The vault hosts of an agent, one a PKCS#11 module or device. */
export class ModuleHosts implements VaultHosts {
  readonly #launch: HostLaunch;
  readonly #hosts = new Map<string, ModuleHost>();
  #wrongSignatures = 0;

  constructor(launch: HostLaunch) {
    this.#launch = launch;
  }

  /** Signatures that did not verify, since the start. */
  get wrongSignatures(): number {
    return this.#wrongSignatures;
  }

  /** As VaultHosts. */
  async openVault(opening: HostedOpening): Promise<HostedVault> {
    const { target, world } = opening;
    let host = this.#hosts.get(target.shared);
    if (host === undefined) {
      host = new ModuleHost({ ...this.#launch, modulePath: target.shared, log: world.log });
      this.#hosts.set(target.shared, host);
    }
    const libraryParameters = this.#launch.libraryParameters.get(target.shared) ?? null;
    const noteWrong = (): void => {
      this.#wrongSignatures += 1;
    };
    return HostedVault.open({ ...opening, libraryParameters, host, noteWrong });
  }
}
