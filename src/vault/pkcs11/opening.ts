import { AgentError } from '../../base/errors.ts';
import type { HostedTarget } from '../hosted.ts';
import { resolveModulePath } from './module-path.ts';
import { keyLabel, type Pkcs11Uri } from './uri.ts';

/** What a vault host opens a token by: nothing of the PIN. */
export type TokenAddress = Omit<Pkcs11Uri, 'id' | 'pinSource'>;

/** Completes "a key cannot be imported: ". */
export const noImport =
  "it would have to be in the token, where this keyring's keys are made: PKCS#11 has no key files";

/**
 * The token of a keyring, for the vault host of its module. The URI's `id` is refused: a keyring makes its keys,
 * several over time, and each has an id of its own.
 *
 * Throws `invalid_params` for what the URI says, `backend_unavailable` where the module is not there.
 */
export function tokenTarget(keyring: string, uri: Pkcs11Uri): HostedTarget {
  if (uri.id !== null) {
    throw new AgentError(
      'invalid_params',
      'PKCS#11 URI: "id" names one key, and a keyring has several over time; leave it out, or use ' +
        '"object" to give the keys of this keyring a label of their own',
    );
  }
  const { token, serial, manufacturer, model, object } = uri;
  const modulePath = resolveModulePath(uri);
  const place: TokenAddress = {
    ...{ token, serial, manufacturer, model, object },
    ...{ modulePath, moduleName: null },
  };
  return { backend: 'pkcs11', shared: modulePath, label: keyLabel(keyring, uri), place };
}

/** The module, and what it is started with; null where there is no such module: opening the keyring says so. */
export function libraryOf(
  uri: Pkcs11Uri,
  parameters: string | null,
): { readonly path: string; readonly parameters: string | null } | null {
  try {
    return { path: resolveModulePath(uri), parameters };
  } catch (failure) {
    if (failure instanceof AgentError) return null;
    throw failure;
  }
}
