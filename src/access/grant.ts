import { scopes, type Principal, type Scope } from '../api/principal.ts';
import { common, union, type PurposeName, type Purposes } from './purposes.ts';

/** One thing that a rule, a list or an API key gives: a scope, on which keyrings, for which purposes. */
export interface Allowance {
  readonly scope: Exclude<Scope, 'none'>;
  /** null: all, and the agent as a whole. */
  readonly keyrings: ReadonlySet<string> | null;
  readonly purposes: Purposes;
}

/** What binds everybody at a keyring. */
export interface KeyringBounds {
  readonly purposes: Purposes;
  /** What the agent alone words, since the configuration says what may stand in it. */
  readonly wordedByAgent: ReadonlySet<PurposeName>;
}

const unbound: KeyringBounds = { purposes: null, wordedByAgent: new Set() };

/** What a caller may do at this moment. */
export interface Grant {
  /** Its scope is the highest that it has anywhere. */
  readonly principal: Principal;
  /** None is made of two: what one gives is never mixed with what another one gives. */
  readonly allowances: readonly Allowance[];
  /** Keyrings that it may use at all; null: all. */
  readonly keyrings: ReadonlySet<string> | null;
  /** By the name of the keyring. */
  readonly bounds: ReadonlyMap<string, KeyringBounds>;
  /** Signatures a second of the API key, over all its connections; null: no limit of its own. */
  readonly signaturesPerSecond: number | null;
}

/** Makes the grant of a principal; its scope follows from the allowances. */
export function grantOf(
  principal: Principal,
  allowances: readonly Allowance[],
  rest: Pick<Grant, 'bounds' | 'signaturesPerSecond'>,
): Grant {
  const scope = highest(allowances);
  return {
    principal: { ...principal, scope },
    allowances,
    keyrings: keyringsOf(allowances),
    ...rest,
  };
}

/** Over all keyrings and the agent as a whole. */
export function scopeOverAll({ allowances }: Grant): Scope {
  return highest(allowances.filter(({ keyrings }) => keyrings === null));
}

/** On one keyring, whatever for. */
export function scopeOn({ allowances }: Grant, keyring: string): Scope {
  return highest(allowances.filter(({ keyrings }) => keyrings?.has(keyring) ?? true));
}

/** Whether the grant has that scope on that keyring, or one above it. Every request asks. */
export function hasScopeOn({ allowances }: Grant, keyring: string, needed: Scope): boolean {
  if (needed === 'none') return true;
  for (const { scope, keyrings } of allowances) {
    if (isAtLeast(scope, needed) && (keyrings === null || keyrings.has(keyring))) return true;
  }
  return false;
}

export function boundsOf({ bounds }: Grant, keyring: string): KeyringBounds {
  return bounds.get(keyring) ?? unbound;
}

/** What whoever has that scope on that keyring may use its keys for. */
export function purposesOn(grant: Grant, keyring: string, scope: Scope): Purposes {
  const bound = boundsOf(grant, keyring).purposes;
  const given: Purposes[] = [];
  for (const one of grant.allowances) {
    if (!isAtLeast(one.scope, scope) || one.keyrings?.has(keyring) === false) continue;
    // Most have no purposes, and every signature asks.
    if (one.purposes === null) return bound;
    given.push(one.purposes);
  }
  return common(union(given), bound);
}

/** What whoever has that scope over all keyrings may use all keys for, as far as the keyrings have it. */
export function purposesOverAll({ allowances }: Grant, scope: Scope): Purposes {
  const given = allowances.filter((one) => one.keyrings === null && isAtLeast(one.scope, scope));
  return union(given.map(({ purposes }) => purposes));
}

export function isAtLeast(scope: Scope, needed: Scope): boolean {
  return scopes.indexOf(scope) >= scopes.indexOf(needed);
}

function highest(allowances: readonly Allowance[]): Scope {
  return scopes.findLast((scope) => allowances.some((one) => one.scope === scope)) ?? 'none';
}

function keyringsOf(allowances: readonly Allowance[]): ReadonlySet<string> | null {
  const names = new Set<string>();
  for (const { keyrings } of allowances) {
    if (keyrings === null) return null;
    for (const name of keyrings) names.add(name);
  }
  // Whoever has no scope at all is told so, and not that it is for other keyrings.
  return allowances.length === 0 ? null : names;
}
