import { fileURLToPath } from 'node:url';
import type { Settings } from '../../src/config/settings.ts';
import { configuredHosts } from '../../src/agent/configured-hosts.ts';
import type { HostLaunch } from '../../src/vault/host/module-hosts.ts';

/** Vault hosts for an agent from the sources: the child process is the built one, since node runs no TypeScript. */
export function builtHosts(settings: Pick<Settings, 'keyrings'>): HostLaunch {
  return {
    ...configuredHosts(settings, process.env, 2),
    program: fileURLToPath(new URL('../../dist/bin/vault-host.js', import.meta.url)),
  };
}
