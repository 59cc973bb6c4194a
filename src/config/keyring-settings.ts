import type { JoseAlg } from '../algorithms/algorithm-names.ts';
import type { Purposes } from '../access/purposes.ts';
import { reservedKeyring } from '../cluster/reserved-keyring.ts';
import type { JwtPolicy } from '../formats/jose/jwt-policy.ts';
import type { RotationPolicy } from '../keyring/rotation-schedule.ts';
import { TableFault } from '../vault/kind-calls.ts';
import { kindOf, type KeyPlace, type OwnSettings } from '../vault/kinds/kinds.ts';
import { jwtPolicyOf } from './jwt.ts';
import type { KeyringConfig } from './keyring-table.ts';
import { ConfigError } from './load.ts';
import type { Config } from './schema.ts';

/** Of any kind; what is the kind's own is for `kindOf` to understand. */
export type KeyringSettings = OwnSettings & {
  readonly name: string;
  readonly require: KeyringConfig['require'];
  /** Away at start: tried again, instead of being the end of the start. */
  readonly optional: boolean;
  /** null: rotated by hand. */
  readonly rotation: RotationPolicy | null;
  /** Keys whose grace has ended are removed by themselves. */
  readonly prunes: boolean;
  /** JWS `alg` of what it signs; null: the usual one of its algorithm. */
  readonly joseAlg: JoseAlg | null;
  readonly jwt: JwtPolicy;
  /** What its keys may be used for, whoever asks. */
  readonly purposes: Purposes;
};

export interface ClusterSettings {
  readonly domain: string;
  /** Whose keys get certificates. */
  readonly keyring: string;
  readonly ca: KeyPlace;
  /** Seconds from now on. */
  readonly longestJoinToken: number;
}

/** Throws ConfigError. */
export function keyringSettings(
  name: string,
  config: KeyringConfig,
  stateDir: string,
  { file, processors }: { readonly file: string; readonly processors: number },
): KeyringSettings {
  const { require, optional, rotation = null, prune: prunes, jwt, purposes = null } = config;
  const own = faultsOf(`${file}: keyrings.${name}`, () =>
    kindOf(config).settings(config, { name, stateDir, processors }),
  );
  const joseAlg = jwt?.alg ?? null;
  const common = { require, optional, rotation, prunes, joseAlg, jwt: jwtPolicyOf(jwt), purposes };
  return { name, ...common, ...own };
}

/** Throws ConfigError. */
export function clusterSettings(
  { cluster: config }: Config,
  stateDir: string,
  file: string,
): ClusterSettings | null {
  if (config === undefined) return null;
  const { domain, keyring, ca_backend: backend, longest_join_token: longestJoinToken } = config;
  const kept = kindOf({ backend }).ca;
  if (kept === null) throw new ConfigError(`${file}: cluster.ca_backend: ${backend} keeps no CA`);
  const where = { name: reservedKeyring, stateDir };
  const ca = faultsOf(`${file}: cluster`, () => kept.settings(config, where));
  return { domain, keyring, ca, longestJoinToken };
}

/** What a kind finds wrong with a key of its table, with the file and the table before it. */
function faultsOf<T>(table: string, work: () => T): T {
  try {
    return work();
  } catch (failure) {
    if (!(failure instanceof TableFault)) throw failure;
    throw new ConfigError(`${table}.${failure.key}: ${failure.message}`);
  }
}
