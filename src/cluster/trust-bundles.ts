import type { ImportedBundle, TrustBundle, TrustBundleView } from '../api/cluster.ts';
import { AgentError, quoted } from '../base/errors.ts';
import { caText, fingerprintIn, refuseFuture, refuseOther } from './bundle-checks.ts';
import { Remembered } from '../base/remembered.ts';
import { compareTimes, formatTime, parseTime } from '../base/rfc3339.ts';
import { algorithms } from '../algorithms/algorithm.ts';
import type { World } from '../base/world.ts';
import { bytesOf, DocumentError } from './document.ts';
import { parseTrustBundle } from './trust-bundle.ts';

/** Clusters that may be trusted at a time: an answer that lists all must not hold everybody up. */
const mostBundles = 1000;
/** Characters of a bundle's text; a real one has some two hundred. */
const longestBundle = 4096;

/** A bundle as it is kept: its text as it was imported, so that nothing of it is changed. */
export interface StoredBundle {
  readonly text: string;
  /** RFC 3339 in UTC. */
  readonly importedAt: string;
}

/** Where bundles are kept, one a domain. Every method may throw `backend_unavailable` or `conflict`. */
export interface TrustBundleStore {
  /** All that is done in `work` or nothing, against other processes too. */
  atomically<T>(work: () => T): Promise<T>;
  find(domain: string): StoredBundle | null;
  /** Domain and bundle, by domain. */
  list(): readonly (readonly [string, StoredBundle])[];
  count(): number;
  /** In place of the one of that domain, where there is one. */
  put(domain: string, bundle: StoredBundle): void;
  remove(domain: string): void;
}

/** The cluster that this agent has a part in. */
export interface OwnCa {
  readonly domain: string;
  /** Null: it is not known, because there is no CA yet or its token is away. */
  readonly publicKey: Uint8Array | null;
}

export interface TrustBundlesParts {
  /** Null as long as nothing was ever kept. */
  readonly opened: () => TrustBundleStore | null;
  /** The same, made where it is not there yet. */
  readonly openOrCreate: () => Promise<TrustBundleStore>;
  /** Null: this agent is in no cluster. */
  readonly ownCa: () => OwnCa | null;
  readonly world: Pick<World, 'now'>;
}

/** A bundle as it came, with what it says. */
export interface GivenBundle {
  readonly text: string;
  readonly bundle: TrustBundle;
}

/** A bundle that can be imported, or what is wrong with it. */
export function readTrustBundle(text: string): GivenBundle | { readonly fault: string } {
  if (text.length > longestBundle) return { fault: `is longer than ${longestBundle} characters` };
  try {
    const bundle = parseTrustBundle(text);
    if (algorithms.ed25519.isPublicKey(bytesOf(bundle.ca_public_key_b64))) return { text, bundle };
    return { fault: 'its ca_public_key_b64 is no acceptable Ed25519 key' };
  } catch (failure) {
    if (failure instanceof DocumentError) return { fault: failure.message };
    throw failure;
  }
}

/** The clusters whose certificates are believed. */
export class TrustBundles {
  readonly #parts: TrustBundlesParts;
  /** Whether a key is a point takes a tenth of a millisecond, and a list has a thousand of them. */
  readonly #kept = new Remembered(readTrustBundle, 2 * mostBundles);

  constructor(parts: TrustBundlesParts) {
    this.#parts = parts;
  }

  /**
   * Rejects with `already_exists` where the domain has another CA and `replace` does not say so; with `conflict` for
   * one that is older than what is known, whatever `replace` says, for one of the future, for a CA with another
   * fingerprint than the one expected (null: none is), and for another CA of this agent's own domain; with `too_large`
   * where there are as many as one may have.
   */
  async import(
    given: GivenBundle,
    replace: boolean,
    fingerprint: string | null = null,
  ): Promise<ImportedBundle> {
    const { bundle, text } = given;
    refuseOther(bundle, fingerprint);
    refuseFuture(bundle, this.#parts.world.now());
    this.#refuseForeignCa(bundle);
    const store = await this.#parts.openOrCreate();
    return store.atomically(() => {
      const known = storedIn(store, bundle.cluster_domain, this.#kept);
      const change = changeTo(known, bundle, replace);
      if (known !== null && change === 'none') return { ...viewOf(known), change };
      if (change === 'added' && store.count() >= mostBundles) throw tooMany();
      const importedAt = formatTime(this.#parts.world.now());
      store.put(bundle.cluster_domain, { text, importedAt });
      return { ...viewOf({ bundle, importedAt }), change };
    });
  }

  /** By domain. */
  list(): { readonly bundles: readonly TrustBundleView[] } {
    const stored = this.#parts.opened()?.list() ?? [];
    return {
      bundles: stored.map(([domain, bundle]) => viewOf(readStored(domain, bundle, this.#kept))),
    };
  }

  /** Rejects with `not_found`. */
  async remove(domain: string): Promise<{ readonly cluster_domain: string }> {
    const store = this.#parts.opened();
    if (store === null) throw notFound(domain);
    return store.atomically(() => {
      if (store.find(domain) === null) throw notFound(domain);
      store.remove(domain);
      return { cluster_domain: domain };
    });
  }

  /**
   * The one of that domain, letter by letter; null where none was imported. One of this agent's own domain that was
   * imported when the domain had another CA counts no more: that one's key may have been stolen.
   */
  bundleOf(domain: string): TrustBundle | null {
    const store = this.#parts.opened();
    const bundle = store === null ? null : (storedIn(store, domain, this.#kept)?.bundle ?? null);
    return bundle === null || this.#isOfForeignCa(bundle) ? null : bundle;
  }

  /** Of this agent's own domain, and not of its CA as far as that is known. */
  #isOfForeignCa({ cluster_domain, ca_public_key_b64 }: TrustBundle): boolean {
    const own = this.#parts.ownCa();
    if (own?.domain !== cluster_domain) return false;
    return own.publicKey === null || !bytesOf(ca_public_key_b64).equals(own.publicKey);
  }

  #refuseForeignCa(bundle: TrustBundle): void {
    if (!this.#isOfForeignCa(bundle)) return;
    const { cluster_domain, ca_kid } = bundle;
    const why =
      this.#parts.ownCa()?.publicKey === null
        ? 'the key of its CA is not known at the moment, so that nothing can be compared with it'
        : `${caText(bundle)} is not its CA`;
    throw new AgentError(
      'conflict',
      `${quoted(cluster_domain)} is the domain of this agent's own cluster, and ${why}`,
      { details: { cluster_domain, ca_kid, ca_fingerprint: fingerprintIn(bundle) } },
    );
  }
}

function changeTo(
  before: KnownBundle | null,
  bundle: TrustBundle,
  replace: boolean,
): ImportedBundle['change'] {
  if (before === null) return 'added';
  const { bundle: known } = before;
  const { cluster_domain } = bundle;
  const isSameCa = bytesOf(known.ca_public_key_b64).equals(bytesOf(bundle.ca_public_key_b64));
  if (!isSameCa && !replace) {
    throw new AgentError(
      'already_exists',
      `${quoted(cluster_domain)} is trusted with ${caText(known)}, and this bundle has ${caText(bundle)}: make sure ` +
        'that the cluster has a new CA, then import it with replace (agentctl trust import --replace)',
      { details: { cluster_domain, ca_kid: known.ca_kid, ca_fingerprint: fingerprintIn(known) } },
    );
  }
  const age = compareGenerated(bundle, known);
  if (age < 0) {
    throw new AgentError(
      'conflict',
      `the bundle of ${quoted(cluster_domain)} is of ${bundle.generated_at}, older than the one that is known, of ` +
        `${known.generated_at}: get a newer one, or remove the known one first (agentctl trust remove)`,
      { details: { cluster_domain, generated_at: known.generated_at } },
    );
  }
  if (!isSameCa) return 'replaced';
  return age === 0 ? 'none' : 'updated';
}

function compareGenerated(a: TrustBundle, b: TrustBundle): number {
  const [first, second] = [parseTime(a.generated_at), parseTime(b.generated_at)];
  if (first === null || second === null) throw new Error('a time of a bundle was not checked');
  return compareTimes(first, second);
}

interface KnownBundle {
  readonly bundle: TrustBundle;
  readonly importedAt: string;
}

type ReadBundles = Remembered<ReturnType<typeof readTrustBundle>>;

function storedIn(store: TrustBundleStore, domain: string, kept: ReadBundles): KnownBundle | null {
  const stored = store.find(domain);
  return stored === null ? null : readStored(domain, stored, kept);
}

/** What was kept was checked before; somebody may have edited it since. */
function readStored(
  domain: string,
  { text, importedAt }: StoredBundle,
  kept: ReadBundles,
): KnownBundle {
  const read = kept.of(text);
  if ('bundle' in read && read.bundle.cluster_domain === domain) {
    return { bundle: read.bundle, importedAt };
  }
  const fault = 'fault' in read ? read.fault : 'it is of another domain';
  throw new AgentError(
    'backend_unavailable',
    `agent.db: the trust bundle of ${quoted(domain)} cannot be used (${fault}): remove it (agentctl trust remove), ` +
      'and import it again',
  );
}

function viewOf({ bundle, importedAt }: KnownBundle): TrustBundleView {
  const { cluster_domain, ca_public_key_b64, ca_kid, generated_at } = bundle;
  const ca_fingerprint = fingerprintIn(bundle);
  const ca = { ca_public_key_b64, ca_kid, ca_fingerprint };
  return { cluster_domain, ...ca, generated_at, imported_at: importedAt };
}

function tooMany(): AgentError {
  return new AgentError(
    'too_large',
    `there are ${mostBundles} trust bundles already, the most that there may be: remove some`,
    { details: { limit: mostBundles } },
  );
}

function notFound(domain: string): AgentError {
  return new AgentError('not_found', `there is no trust bundle of ${quoted(domain)}`, {
    details: { cluster_domain: domain.slice(0, 253) },
  });
}
