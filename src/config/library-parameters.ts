import { kindOf } from '../vault/kinds/kinds.ts';
import { ConfigError } from './load.ts';
import type { Settings } from './settings.ts';

/**
 * What libraries are started with, by the real path of the library. Throws ConfigError where two keyrings on one library
 * have different parameters: it is started once, for both.
 */
export function libraryParameters(keyrings: Settings['keyrings']): ReadonlyMap<string, string> {
  const first = new Map<string, { readonly keyring: string; readonly parameters: string | null }>();
  for (const keyring of keyrings) {
    const library = kindOf(keyring).host(keyring)?.library ?? null;
    if (library === null) continue;
    const { path, parameters } = library;
    const other = first.get(path);
    if (other === undefined) first.set(path, { keyring: keyring.name, parameters });
    else if (other.parameters !== parameters) {
      throw new ConfigError(
        `configuration: keyrings.${keyring.name}.library_parameters: keyring ${other.keyring} is on the same module ` +
          `(${path}) and has other ones: a module is started once, so give both the same`,
      );
    }
  }
  return new Map(
    [...first].flatMap(([path, { parameters }]) =>
      parameters === null ? [] : [[path, parameters] as const],
    ),
  );
}
