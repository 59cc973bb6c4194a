import { resolveModulePath } from '../vault/pkcs11/module-path.ts';
import { AgentError } from '../base/errors.ts';
import { ConfigError } from './load.ts';
import type { KeyringSettings, Settings } from './settings.ts';

type TokenKeyring = Extract<KeyringSettings, { backend: 'pkcs11' }>;

/**
 * `library_parameters` by the real path of the module. Throws ConfigError where two keyrings on one module have
 * different ones: C_Initialize is called once for both.
 */
export function parametersByModule(keyrings: Settings['keyrings']): ReadonlyMap<string, string> {
  const first = new Map<string, TokenKeyring>();
  for (const keyring of keyrings) {
    const path = keyring.backend === 'pkcs11' ? modulePath(keyring) : null;
    if (keyring.backend !== 'pkcs11' || path === null) continue;
    const other = first.get(path);
    if (other === undefined) first.set(path, keyring);
    else if (other.libraryParameters !== keyring.libraryParameters) {
      throw new ConfigError(
        `configuration: keyrings.${keyring.name}.library_parameters: keyring ${other.name} is on the same module ` +
          `(${path}) and has other ones: a module is started once, so give both the same`,
      );
    }
  }
  return new Map(
    [...first].flatMap(([path, { libraryParameters }]) =>
      libraryParameters === null ? [] : [[path, libraryParameters] as const],
    ),
  );
}

/** null where there is no such module: opening the keyring says so. */
function modulePath({ uri }: TokenKeyring): string | null {
  try {
    return resolveModulePath(uri);
  } catch (failure) {
    if (failure instanceof AgentError) return null;
    throw failure;
  }
}
