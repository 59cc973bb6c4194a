import { createPublicKey, verify, type KeyObject } from 'node:crypto';
import type { AlgorithmName, KeyStatus } from '../../src/api/signing-backend.ts';

/** What a client asks to be changed. */
export type Change =
  | { readonly do: 'rotate'; readonly grace: number }
  | { readonly do: 'prepare' }
  | { readonly do: 'prune' }
  | { readonly do: 'revoke'; readonly kid: string };

export type Keys = ReadonlyMap<string, KeyStatus>;

/** What `list_keys` says of a key. */
export interface ListedKey {
  readonly kid: string;
  readonly public_key_b64: string;
  readonly state: KeyStatus;
}

interface Signed {
  readonly kid: string;
  readonly message: Buffer;
  readonly signature: Buffer;
}

/**
 * What clients were told of a keyring, over any number of kills: acknowledged changes are in force, one that was
 * not answered is in force or is not, a key that is gone stays gone, and a kid means one public key for ever.
 */
export class KeyLedger {
  readonly #algorithm: AlgorithmName;
  readonly #keepsLeftOvers: boolean;
  readonly #publicKeys = new Map<string, string>();
  /** Revoked, pruned, or with its grace over. */
  readonly #dead = new Set<string>();
  readonly #leftOvers = new Set<string>();
  #keys: Keys = new Map();
  #underWay: Change | null = null;
  #unverified: Signed[] = [];

  /**
   * `keepsLeftOvers`: where no seal says which records are the newest, a key that was made and not recorded when the
   * agent was killed is kept, valid no more.
   */
  constructor(algorithm: AlgorithmName, { keepsLeftOvers = false } = {}) {
    this.#algorithm = algorithm;
    this.#keepsLeftOvers = keepsLeftOvers;
  }

  /** As acknowledged. */
  get keys(): Keys {
    return this.#keys;
  }

  get dead(): readonly string[] {
    return [...this.#dead];
  }

  withState(...states: readonly KeyStatus[]): readonly string[] {
    return [...this.#keys].filter(([, state]) => states.includes(state)).map(([kid]) => kid);
  }

  isDead(kid: string): boolean {
    return this.#dead.has(kid);
  }

  /** Whether the change under way would end that key. */
  mayGo(kid: string): boolean {
    const change = this.#underWay;
    if (change?.do === 'revoke') return change.kid === kid;
    return change?.do === 'rotate' && change.grace === 0 && this.#keys.get(kid) === 'active';
  }

  get active(): string {
    return this.withState('active')[0] ?? '';
  }

  begin(change: Change): void {
    this.#underWay = change;
  }

  /** The agent said that nothing was changed. */
  refused(): void {
    this.#underWay = null;
  }

  acknowledge(result: Readonly<Record<string, unknown>>): void {
    const change = this.#underWay;
    if (change === null) throw new Error('an answer to nothing');
    const kid = result['new_active_kid'] ?? (change.do === 'prepare' ? result['kid'] : null);
    const publicKey = result['new_active_public_key_b64'] ?? result['public_key_b64'];
    const fresh = makesKey(change, this.#keys);
    if (typeof kid === 'string') {
      if (fresh && this.#publicKeys.has(kid)) throw new Error(`${kid} is not a new key`);
      if (typeof publicKey === 'string') this.#learn(kid, publicKey);
    }
    this.#enter(after(change, this.#keys, fresh ? String(kid) : null));
  }

  /** Says whether the change that was not answered is in force. Throws where neither is so. */
  observe(listed: readonly ListedKey[]): 'changed' | 'unchanged' {
    const all: Keys = new Map(listed.map(({ kid, state }) => [kid, state]));
    const isLeftOver = (kid: string): boolean =>
      this.#leftOvers.has(kid) ||
      (this.#keepsLeftOvers &&
        all.get(kid) === 'retired' &&
        !this.#keys.has(kid) &&
        !this.#publicKeys.has(kid));
    const leftOvers = [...all.keys()].filter(isLeftOver);
    for (const kid of leftOvers) this.#dead.add(this.#leftOverWithState(kid, all.get(kid)));
    const observed: Keys = new Map([...all].filter(([kid]) => !leftOvers.includes(kid)));
    // What a revocation activated is known before its public key is.
    const isKnown = (kid: string): boolean => this.#publicKeys.has(kid) || this.#keys.has(kid);
    const fresh = [...observed.keys()].filter((kid) => !isKnown(kid));
    for (const { kid, public_key_b64 } of listed) this.#learn(kid, public_key_b64);
    const change = this.#underWay;
    const wanted = this.#keys.size === 0 ? after(null, this.#keys, fresh[0] ?? null) : this.#keys;
    const outcome = same(observed, wanted) ? 'unchanged' : 'changed';
    if (outcome === 'changed') {
      const made = change === null ? null : (fresh[0] ?? null);
      if (change === null || !same(observed, after(change, this.#keys, made))) {
        throw new Error(
          `the keys are ${text(observed)}; acknowledged are ${text(this.#keys)}, ` +
            `and under way was ${JSON.stringify(change)}`,
        );
      }
    }
    this.#enter(observed);
    const unverified = this.#unverified;
    this.#unverified = [];
    for (const signed of unverified) this.#verify(signed);
    return outcome;
  }

  /** A signature that a client was given: it must be right, also where its key is not known yet. */
  signed(kid: string, message: Buffer, signature: Buffer): void {
    const signed = { kid, message, signature };
    if (this.#publicKeys.has(kid)) this.#verify(signed);
    else this.#unverified.push(signed);
  }

  #enter(keys: Keys): void {
    for (const kid of this.#keys.keys()) if (!keys.has(kid)) this.#dead.add(kid);
    for (const [kid, state] of keys) {
      if (state === 'revoked' || state === 'retired') this.#dead.add(kid);
      else if (this.#dead.has(kid)) throw new Error(`${kid} came back: it is ${state}`);
    }
    this.#keys = keys;
    this.#underWay = null;
  }

  /** Nobody was told of it: it never becomes valid, and no prune takes it. */
  #leftOverWithState(kid: string, state: KeyStatus | undefined): string {
    if (state !== 'retired') throw new Error(`${kid} was left over, and is ${String(state)} now`);
    this.#leftOvers.add(kid);
    return kid;
  }

  #learn(kid: string, publicKey: string): void {
    const known = this.#publicKeys.get(kid);
    if (known !== undefined && known !== publicKey) {
      throw new Error(`${kid} is two keys: ${known} and ${publicKey}`);
    }
    this.#publicKeys.set(kid, publicKey);
  }

  #verify({ kid, message, signature }: Signed): void {
    const publicKey = this.#publicKeys.get(kid);
    if (publicKey === undefined) throw new Error(`${kid} has signed, and is no key of the keyring`);
    const key = keyObject(this.#algorithm, publicKey);
    const right =
      this.#algorithm === 'ed25519'
        ? verify(null, message, key, signature)
        : verify('sha256', message, { key, dsaEncoding: 'ieee-p1363' }, signature);
    if (!right) throw new Error(`a signature of ${kid} is wrong`);
  }
}

/** Whether a change takes a new key. */
function makesKey(change: Change, keys: Keys): boolean {
  const isPrepared = [...keys.values()].includes('prepared');
  if (change.do === 'prepare') return true;
  if (change.do === 'prune' || isPrepared) return false;
  return change.do === 'rotate' || keys.get(change.kid) === 'active';
}

/** The keys once that is done; null: the first key. `made` is the new key, where one is made. */
function after(change: Change | null, keys: Keys, made: string | null): Keys {
  const next = new Map(keys);
  const kidOf = (state: KeyStatus): string | null =>
    [...keys].find(([, one]) => one === state)?.[0] ?? null;
  const activate = (): void => {
    const kid = kidOf('prepared') ?? made;
    if (kid !== null) next.set(kid, 'active');
  };
  switch (change?.do) {
    case undefined:
      activate();
      break;
    case 'rotate':
      next.set(kidOf('active') ?? '', change.grace > 0 ? 'grace' : 'retired');
      activate();
      break;
    case 'prepare':
      if (made !== null) next.set(made, 'prepared');
      break;
    case 'prune':
      for (const [kid, state] of keys) if (state === 'retired') next.delete(kid);
      break;
    case 'revoke':
      if (keys.get(change.kid) === 'active') activate();
      next.set(change.kid, 'revoked');
  }
  return next;
}

function same(a: Keys, b: Keys): boolean {
  return a.size === b.size && [...a].every(([kid, state]) => b.get(kid) === state);
}

function text(keys: Keys): string {
  return JSON.stringify(Object.fromEntries(keys));
}

function keyObject(algorithm: AlgorithmName, publicKey: string): KeyObject {
  if (algorithm === 'ed25519') {
    const jwk = { kty: 'OKP', crv: 'Ed25519', x: publicKey };
    return createPublicKey({ key: jwk, format: 'jwk' });
  }
  const point = Buffer.from(publicKey, 'base64url');
  const coordinate = (from: number): string => point.toString('base64url', from, from + 32);
  const jwk = { kty: 'EC', crv: 'P-256', x: coordinate(1), y: coordinate(33) };
  return createPublicKey({ key: jwk, format: 'jwk' });
}
