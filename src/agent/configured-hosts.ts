import { programFile } from '../base/installed.ts';
import { libraryParameters } from '../config/library-parameters.ts';
import type { Settings } from '../config/settings.ts';
import { kindOf } from '../vault/kinds/kinds.ts';
import { hostEnvironment } from '../vault/host/host-environment.ts';
import type { HostLaunch } from '../vault/host/module-hosts.ts';

const fewestThreads = 2;
const mostThreads = 128;
/** Each has a channel, which is a descriptor here and one there. */
const mostSigners = 64;

/**
 * How the hosts of these keyrings' modules are started. A host's threads: signatures that are made on this
 * machine's processors want a thread each processor; with more the threads are in each other's way (SoftHSM on
 * two processors: a quarter fewer signatures with eight threads than with two). A device that makes them elsewhere
 * wants a thread each session that it was given. Throws ConfigError where two keyrings on one library start it
 * differently.
 */
export function configuredHosts(
  { keyrings }: Pick<Settings, 'keyrings'>,
  environment: Readonly<Record<string, string | undefined>>,
  processors: number,
): HostLaunch {
  const needs = keyrings.flatMap((keyring) => kindOf(keyring).host(keyring) ?? []);
  const own = needs.reduce((sum, { ownThreads }) => sum + ownThreads, 0);
  const threads = Math.min(Math.max(own, processors, fewestThreads), mostThreads);
  const names = needs.flatMap((need) => need.environment);
  const ofHosts = hostEnvironment(environment, names, threads);
  return {
    program: programFile('vault-host'),
    signers: Math.min(Number(ofHosts['UV_THREADPOOL_SIZE']) || threads, mostSigners),
    environment: ofHosts,
    libraryParameters: libraryParameters(keyrings),
  };
}
