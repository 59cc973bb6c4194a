import { fileURLToPath } from 'node:url';
import type { Settings } from '../config/settings.ts';
import { parametersByModule } from '../config/library-parameters.ts';
import { hostEnvironment } from '../vault/host/host-environment.ts';
import type { HostLaunch } from '../vault/host/module-hosts.ts';

const fewestThreads = 2;
const mostThreads = 128;

/**
 * How the hosts of these keyrings' modules are started. A host's thread pool: signatures that are made on this
 * machine's processors want a thread each processor; with more the threads are in each other's way (SoftHSM on
 * two processors: a quarter fewer signatures with eight threads than with two). A device that makes them elsewhere
 * wants a thread each session that it was given.
 */
export function configuredHosts(
  { keyrings }: Pick<Settings, 'keyrings'>,
  environment: Readonly<Record<string, string | undefined>>,
  processors: number,
): HostLaunch {
  const inTokens = keyrings.filter((keyring) => keyring.backend === 'pkcs11');
  const own = inTokens.reduce((sum, { ownThreads }) => sum + ownThreads, 0);
  const threads = Math.min(Math.max(own, processors, fewestThreads), mostThreads);
  const names = inTokens.flatMap((keyring) => keyring.environment);
  return {
    program: fileURLToPath(new URL('../bin/vault-host.js', import.meta.url)),
    environment: hostEnvironment(environment, names, threads),
    libraryParameters: parametersByModule(keyrings),
  };
}
