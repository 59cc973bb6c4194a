import { AgentError } from '../../base/errors.ts';
import { resolveModulePath } from '../pkcs11/module-path.ts';
import { HostedVault, type HostedVaultOptions } from './hosted-vault.ts';
import { ModuleHost } from './module-host.ts';

/** How vault hosts are started. */
export interface HostLaunch {
  /** Path of the script that a child process runs. */
  readonly program: string;
  /** All that it has of an environment, see hostEnvironment. */
  readonly environment: Readonly<Record<string, string>>;
  /** For C_Initialize, by the real path of the module that wants them. */
  readonly libraryParameters: ReadonlyMap<string, string>;
}

/** The vault hosts of an agent, one a PKCS#11 module. */
export class ModuleHosts {
  readonly #launch: HostLaunch;
  readonly #hosts = new Map<string, ModuleHost>();

  constructor(launch: HostLaunch) {
    this.#launch = launch;
  }

  /**
   * Opens a keyring's keys in a PKCS#11 token, in the host of its module. The URI's `id` is refused: a keyring
   * makes its keys, several over time, and each has an id of its own.
   *
   * Rejects as HostedVault.open, and with `invalid_params` for what the URI says.
   */
  async openVault(
    options: Omit<HostedVaultOptions, 'host' | 'libraryParameters'>,
  ): Promise<HostedVault> {
    const { uri, world } = options;
    if (uri.id !== null) {
      throw new AgentError(
        'invalid_params',
        'PKCS#11 URI: "id" names one key, and a keyring has several over time; leave it out, or use ' +
          '"object" to give the keys of this keyring a label of their own',
      );
    }
    const modulePath = resolveModulePath(uri);
    let host = this.#hosts.get(modulePath);
    if (host === undefined) {
      host = new ModuleHost({ ...this.#launch, modulePath, log: world.log });
      this.#hosts.set(modulePath, host);
    }
    const libraryParameters = this.#launch.libraryParameters.get(modulePath) ?? null;
    return HostedVault.open({
      ...options,
      uri: { ...uri, modulePath, moduleName: null },
      libraryParameters,
      host,
    });
  }
}
