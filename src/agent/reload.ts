import { isDeepStrictEqual } from 'node:util';
import type { KeptPart, Reloaded } from '../api/reload.ts';
import type { AccessControl, AccessSettings } from '../access/access-control.ts';
import type { LoadedApiKeys } from '../access/api-key.ts';
import type { Settings } from '../config/settings.ts';
import { describeFailure } from '../base/errors.ts';
import { listenerKinds } from '../server/listeners.ts';
import type { World } from '../base/world.ts';

export interface ReloadParts {
  /** What the agent runs with. */
  readonly settings: Settings;
  /** Reads the configuration again. Throws where it is refused. */
  readonly readSettings: () => Settings;
  /** Resolves the names of `[access]`. */
  readonly accessSettings: (settings: Settings) => AccessSettings;
  /** Reads the API keys again. Throws where the file is refused. */
  readonly readApiKeys: () => LoadedApiKeys;
  readonly access: AccessControl;
  readonly world: Pick<World, 'log'>;
}

/**
 * Takes over what may change while the agent runs: `[access]`, `[log]` and the API keys. Each part is replaced whole
 * or stays as it was. Never throws.
 */
export function reload(parts: ReloadParts): Reloaded {
  const outcomes = [reloadConfiguration(parts), reloadApiKeys(parts)];
  const result = {
    reloaded: outcomes.flatMap(({ reloaded }) => reloaded),
    kept: outcomes.flatMap(({ kept }) => kept),
  };
  const { log } = parts.world;
  if (result.kept.some(({ failed }) => failed)) log.error(result, 'not everything was reloaded');
  else log.info(result, 'reloaded');
  for (const warning of parts.access.warnings) log.warn({ reason: warning }, 'access');
  return result;
}

function reloadConfiguration(parts: ReloadParts): Reloaded {
  const { access, world } = parts;
  try {
    const settings = parts.readSettings();
    access.settings = parts.accessSettings(settings);
    world.log.level = settings.logLevel;
    return { reloaded: ['access', 'log'], kept: needingRestart(parts.settings, settings) };
  } catch (failure) {
    return { reloaded: [], kept: [failedPart('configuration', failure)] };
  }
}

function reloadApiKeys({ access, readApiKeys }: ReloadParts): Reloaded {
  try {
    access.keys = readApiKeys();
    return { reloaded: ['api_keys'], kept: [] };
  } catch (failure) {
    return { reloaded: [], kept: [failedPart('api_keys', failure)] };
  }
}

function failedPart(part: string, failure: unknown): KeptPart {
  return { part, reason: describeFailure(failure), failed: true };
}

/** What a running agent does not change, with its name in the configuration. */
const fixedParts: readonly (readonly [(settings: Settings) => unknown, string])[] = [
  [({ stateDir }) => stateDir, 'state_dir'],
  [({ keyrings }) => keyrings, 'keyrings'],
  [({ audit }) => audit, 'audit'],
  [({ cluster }) => cluster, 'cluster'],
  ...Object.values(listenerKinds).map(({ settings, table }) => [settings, table] as const),
];

/** Parts of the configuration that were changed and that a running agent does not change. */
function needingRestart(running: Settings, read: Settings): readonly KeptPart[] {
  return fixedParts
    .filter(([part]) => !isDeepStrictEqual(part(running), part(read)))
    .map(([, name]) => ({
      part: name,
      reason: 'it was changed, and counts after a restart of the agent',
      failed: false,
    }));
}
