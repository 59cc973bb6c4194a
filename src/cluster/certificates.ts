import type { CaCert } from '../api/cluster.ts';
import { AgentError, describeFailure } from '../base/errors.ts';
import { journaled, type ChangeJournal } from '../keyring/change-journal.ts';
import type { KeyringFailure } from '../keyring/health.ts';
import type { KeyInUse } from '../keyring/keys-in-use.ts';
import type { Keyring } from '../keyring/keyring.ts';
import { encodeBase64 } from '../base/base64.ts';
import { formatTime } from '../base/rfc3339.ts';
import { Turns } from '../base/turns.ts';
import type { World } from '../base/world.ts';
import { bytesOf } from './document.ts';
import { caCertSignedBytes, caCertText, hasExpired } from './ca-cert.ts';
import type { CaKey } from './ca-key.ts';
import type { CaRecords, CertificateStore, IssuedCertificate } from './ca-records.ts';
import { needsCertificate, outlivingNewer, plannedExpiry } from './certificate-plan.ts';
import type { CertificateSource } from './certificate-source.ts';
import { SignedCertificates } from './signed-certificates.ts';

/** First and longest wait before certificates that could not be issued are tried again by themselves, milliseconds. */
const firstRetry = 1000;
const longestRetry = 300_000;

export interface CertificatesParts {
  /** The cluster's. */
  readonly domain: string;
  /** The keyring whose keys are certified. `open` throws while it is not. */
  readonly keyring: { readonly name: string; readonly open: () => Keyring };
  /** What its keys stay valid for after they are replaced by themselves, seconds; 0: rotated by hand. */
  readonly graceSeconds: number;
  /** Throws while the CA is not open. */
  readonly ca: () => CaKey;
  /** null before there is a database. */
  readonly kept: () => { ca: Pick<CaRecords, 'read'>; certificates: CertificateStore } | null;
  readonly journal?: ChangeJournal | undefined;
  readonly world: Pick<World, 'monotonicNow' | 'log' | 'now'>;
}

/**
 * The certificates of the cluster's keys. What is needed is found out anew by each look at the keys, so that one that
 * was missed, by a kill or by a CA that was away, is done at the next.
 */
export class Certificates implements Pick<CertificateSource, 'certificateFor'> {
  readonly #parts: CertificatesParts;
  readonly #turns = new Turns();
  readonly #signed = new SignedCertificates();
  #failure: KeyringFailure | null = null;
  /** `at` on the monotonic clock. */
  #retry = { wait: 0, at: -Infinity };

  constructor(parts: CertificatesParts) {
    this.#parts = parts;
  }

  /** Why a key that is in use has no certificate; null where each has one, as far as the last look found. */
  get lastFailure(): KeyringFailure | null {
    return this.#failure;
  }

  certificateFor(kid: string): CaCert | null {
    return this.#holding(this.#parts.keyring.open()).get(kid)?.[0] ?? null;
  }

  /**
   * Certifies the active key. `validitySeconds` null: for what remains of its life and its grace. Rejects as the
   * keyring and the CA do while they are not open, and where the certificate could not be kept.
   */
  async issue(validitySeconds: number | null): Promise<CaCert> {
    const keyring = this.#parts.keyring.open();
    const key = keyring.keysInUse().find(({ status }) => status === 'active');
    if (key === undefined) throw new Error('a keyring that is open has an active key');
    return this.#turns.take('', () => this.#issue(keyring, key, validitySeconds));
  }

  /**
   * Drops what holds no more, and issues what is missing. After a failure that is tried again after a while, or at
   * once where `atOnce` is said. Never rejects.
   */
  issueMissing({ atOnce }: { readonly atOnce: boolean }): Promise<void> {
    return this.#turns.take('', async () => {
      const { world } = this.#parts;
      if (!atOnce && world.monotonicNow() < this.#retry.at) return;
      try {
        await this.#issueMissing();
        this.#failure = null;
      } catch (failure) {
        this.#fail(failure);
      }
    });
  }

  /** Resolves when no certificate is being issued. */
  idle(): Promise<void> {
    return this.#turns.idle();
  }

  async #issueMissing(): Promise<void> {
    const keyring = this.#openKeyring();
    if (keyring === null) return; // there is nobody to certify, which the keyring itself says
    const holding = this.#holding(keyring);
    await this.#dropOthers(holding);
    const now = keyring.trustedNow();
    const due = keyring.keysInUse().filter((key) => {
      const longest = holding.get(key.kid)?.at(-1) ?? null;
      return needsCertificate(longest, plannedExpiry(key, this.#parts.graceSeconds, now), now);
    });
    for (const key of due) {
      const { outage } = this.#parts.ca().health;
      if (outage !== null) throw new AgentError(outage.kind, outage.message);
      await this.#attempt(keyring, key);
    }
  }

  /** What is begun is recorded, so that it is not begun again every moment. */
  async #attempt(keyring: Keyring, key: KeyInUse): Promise<void> {
    const { journal, world } = this.#parts;
    try {
      await journaled(
        journal,
        { keyring: keyring.name, method: 'ca_issue' },
        () => this.#issue(keyring, key, null),
        ({ active_kid: kid }) => ({ kid, reason: null }),
      );
      this.#retry = { wait: 0, at: -Infinity };
    } catch (failure) {
      const wait = Math.min(Math.max(this.#retry.wait * 2, firstRetry), longestRetry);
      this.#retry = { wait, at: world.monotonicNow() + wait };
      throw failure;
    }
  }

  #openKeyring(): Keyring | null {
    try {
      return this.#parts.keyring.open();
    } catch (failure) {
      if (failure instanceof AgentError) return null;
      throw failure;
    }
  }

  async #issue(keyring: Keyring, key: KeyInUse, validitySeconds: number | null): Promise<CaCert> {
    const { ca, domain, graceSeconds, kept, world } = this.#parts;
    const by = ca();
    const now = keyring.trustedNow();
    const expires =
      validitySeconds === null
        ? plannedExpiry(key, graceSeconds, now)
        : now + validitySeconds * 1000;
    const unsigned = {
      v: 1,
      active_kid: key.kid,
      active_pubkey_b64: encodeBase64(key.publicKey),
      issued_at: formatTime(now),
      expires_at: formatTime(expires),
      cluster_domain: domain,
    } as const;
    const signature = await by.sign(caCertSignedBytes(unsigned));
    const certificate = { ...unsigned, sig_by_ca: encodeBase64(signature) };
    if (!isCertifiable(keyring, certificate)) {
      throw new AgentError('conflict', `key ${key.kid} is valid no more: try again`);
    }
    const { certificates } = kept() ?? {};
    if (certificates === undefined) throw new Error('an open CA has a database');
    await certificates.add({ kid: key.kid, text: caCertText(certificate) });
    world.log.info(
      { keyring: keyring.name, kid: key.kid, ca_kid: by.kid, expires_at: certificate.expires_at },
      'certificate issued',
    );
    return certificate;
  }

  /** By kid, the newest first. The CA need not be open: that it made them is seen by its public key. */
  #holding(keyring: Keyring): ReadonlyMap<string, readonly CaCert[]> {
    const { domain, kept } = this.#parts;
    const { ca: records, certificates } = kept() ?? {};
    const ca = records?.read()?.key ?? null;
    const holding = new Map<string, CaCert[]>();
    if (certificates === undefined || ca === null) return holding;
    const now = keyring.trustedNow();
    const texts = certificates.list().map(({ text }) => text);
    for (const certificate of this.#signed.among(texts, ca.publicKey)) {
      const { active_kid: kid, cluster_domain } = certificate;
      const holds =
        cluster_domain === domain &&
        isCertifiable(keyring, certificate) &&
        !hasExpired(certificate, now);
      if (holds) holding.set(kid, [...(holding.get(kid) ?? []), certificate]);
    }
    return new Map([...holding].map(([kid, all]) => [kid, outlivingNewer(all)]));
  }

  async #dropOthers(holding: ReadonlyMap<string, readonly CaCert[]>): Promise<void> {
    const store = this.#parts.kept()?.certificates;
    if (store === undefined) return;
    const texts = new Set([...holding.values()].flat().map(caCertText));
    const dropped = store.list().filter(({ text }: IssuedCertificate) => !texts.has(text));
    if (dropped.length > 0) await store.remove(dropped);
  }

  #fail(thrown: unknown): void {
    const { keyring, world } = this.#parts;
    const kind = thrown instanceof AgentError ? thrown.kind : 'internal';
    const message = describeFailure(thrown);
    if (this.#failure?.message === message) return;
    this.#failure = { kind, message, at: formatTime(world.now()) };
    world.log.error(
      { keyring: keyring.name, reason: message },
      'a key has no certificate: it could not be issued, and is tried again',
    );
  }
}

/** By all of its key: for a kid another key can be made. */
function isCertifiable(keyring: Keyring, { active_kid, active_pubkey_b64 }: CaCert): boolean {
  const { status, publicKey } = keyring.keyOf(active_kid) ?? {};
  if (publicKey === undefined || !bytesOf(active_pubkey_b64).equals(publicKey)) return false;
  return status === 'active' || status === 'prepared' || status === 'grace';
}
