import type * as z from 'zod';
import type { BackendName } from '../../api/signing-backend.ts';
import { AgentError } from '../../base/errors.ts';
import { fileKind } from '../file/kind.ts';
import type { ServeKind } from '../hosted.ts';
import type { Given, TableKeys, VaultKind } from '../kind.ts';
import { pkcs11Kind } from '../pkcs11/kind.ts';
import { tpmKind } from '../tpm/kind.ts';

/** One entry a backend. What each of them has to say is in VaultKind; the first one is what a keyring has by default. */
const table = {
  file: fileKind,
  pkcs11: pkcs11Kind,
  tpm: tpmKind,
} satisfies Record<BackendName, object>;

type Table = typeof table;
type GivenOf<N extends BackendName> = Parameters<Table[N]['settings']>[0];
type GivenOfCaOf<N extends BackendName> = Given<ReturnType<Table[N]['keysOfCa']['shape']>>;
type PlaceOf<N extends BackendName> = Parameters<Table[N]['isSameDevice']>[0];
type OwnOf<N extends BackendName> = ReturnType<Table[N]['settings']>;
type Kind<N extends BackendName> = VaultKind<GivenOf<N>, GivenOfCaOf<N>, PlaceOf<N>, OwnOf<N>>;

/** A keyring's own keys of its table, as they were read; `backend` says whose. */
export type GivenKeys = { [N in BackendName]: { readonly backend: N } & GivenOf<N> }[BackendName];
/** The same of the CA's in `[cluster]`. */
export type GivenKeysOfCa = {
  [N in BackendName]: { readonly ca_backend: N } & GivenOfCaOf<N>;
}[BackendName];

/** Where keys are: of a keyring, or of the CA of a cluster. */
export type KeyPlace = { [N in BackendName]: PlaceOf<N> }[BackendName];
/** What is the kind's own of a keyring's settings. */
export type OwnSettings = { [N in BackendName]: OwnOf<N> }[BackendName];

const kinds: { readonly [N in BackendName]: Kind<N> } = table;

/** In the order of the table. */
export const backendNames = Object.keys(table) as readonly BackendName[];

/** The keys that a kind has in `[keyrings.NAME]` and in `[cluster]`, for what reads them. */
export function keysOf(backend: BackendName): {
  readonly keys: TableKeys<z.ZodRawShape>;
  readonly keysOfCa: TableKeys<z.ZodRawShape>;
} {
  return table[backend];
}

/** The kind of what is configured. */
export function kindOf<N extends BackendName>({ backend }: { readonly backend: N }): Kind<N> {
  return kinds[backend];
}

/** What a vault host begins with. Rejects for a kind that is opened in none. */
export async function servedKind(backend: BackendName): Promise<ServeKind> {
  const { serve } = kinds[backend];
  if (serve !== null) return serve();
  throw new AgentError('internal', `a ${backend} vault is opened in no vault host`);
}
