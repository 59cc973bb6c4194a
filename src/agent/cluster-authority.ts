import type { CaCert, CaVerdict, CaView, ForgottenCa, TrustBundle } from '../api/cluster.ts';
import { fingerprintOf } from '../base/fingerprint.ts';
import { encodeBase64 } from '../base/base64.ts';
import type { CaKey } from '../cluster/ca-key.ts';
import { broken, verdictOn } from '../cluster/ca-verdict.ts';
import type { CertificateSource } from '../cluster/certificate-source.ts';
import { Certificates } from '../cluster/certificates.ts';
import { requireRecordedCa } from '../cluster/forget-ca.ts';
import { reservedKeyring } from '../cluster/reserved-keyring.ts';
import type { ClusterSettings } from '../config/keyring-settings.ts';
import {
  supervisedCa,
  configuredCa,
  forgetConfiguredCa,
  type SupervisedCaSettings,
  type ConfiguredCaParts,
} from './configured-ca.ts';
import { described } from './keyring-status.ts';
import type { Keyring } from '../keyring/keyring.ts';
import { Supervisor } from './supervisor.ts';
import type { ClusterStatus } from '../api/status.ts';
import { formatTime } from '../base/rfc3339.ts';
import { CaTable, CertificateTable } from '../database/ca-tables.ts';

/** Changes that other programs make to the keys, and a CA that is back, are noticed this soon, milliseconds. */
const checkInterval = 2000;

export interface ClusterAuthorityParts extends ConfiguredCaParts {
  readonly settings: ClusterSettings;
  /** The cluster's keyring. Throws while it is not open. */
  readonly keyring: () => Keyring;
  /** What its keys stay valid for after they are replaced by themselves, seconds; 0: rotated by hand. */
  readonly graceSeconds: number;
  /** For systemd credentials. */
  readonly credentialsDir: string | null;
}

/** The CA of the cluster, open or not, and the certificates of the cluster's keys. */
export class ClusterAuthority implements CertificateSource {
  readonly #parts: ClusterAuthorityParts;
  readonly #certificates: Certificates;
  /** Under the one name that it has, so that `unlock`, `lock` and being tried again are as for a keyring. */
  readonly supervisor: SupervisedCa;
  #cancel: (() => void) | null = null;
  #stopped = false;

  constructor(parts: ClusterAuthorityParts) {
    this.#parts = parts;
    const { settings, keyring, graceSeconds, database, journal, world } = parts;
    this.supervisor = new SupervisedCa(parts);
    this.#certificates = new Certificates({
      domain: settings.domain,
      keyring: { name: settings.keyring, open: keyring },
      graceSeconds,
      ca: () => this.supervisor.get(reservedKeyring),
      kept: () => {
        const { current } = database;
        return current && { ca: new CaTable(current), certificates: new CertificateTable(current) };
      },
      journal,
      world,
    });
  }

  get domain(): string {
    return this.#parts.settings.domain;
  }

  /** Of the CA, open or not; null before there is one. */
  get publicKey(): Uint8Array | null {
    const { current } = this.#parts.database;
    return current && (new CaTable(current).read()?.key?.publicKey ?? null);
  }

  /** Opens the CA, or makes it where there never was one. Never rejects: without it the agent signs all the same. */
  open(): Promise<void> {
    return this.supervisor.open();
  }

  /** From now on the keys are looked at by themselves; when it resolves, for the first time. Never rejects. */
  async start(): Promise<void> {
    await this.issueMissing();
    this.#next();
  }

  /** Issues what is missing now. Never rejects. */
  async issueMissing(): Promise<void> {
    if (!this.#stopped) await this.#certificates.issueMissing({ atOnce: true });
  }

  async issueDue(): Promise<void> {
    if (!this.#stopped) await this.#certificates.issueMissing({ atOnce: false });
  }

  async unlock(pin: Buffer, again: boolean): Promise<void> {
    await this.supervisor.unlock(reservedKeyring, pin, again);
    await this.issueMissing();
  }

  lock(): Promise<void> {
    return this.supervisor.lock(reservedKeyring);
  }

  show(): CaView {
    const { settings, keyring } = this.#parts;
    const ca = this.#open();
    return {
      ca_kid: ca.kid,
      ca_public_key_b64: encodeBase64(ca.publicKey),
      ca_fingerprint: fingerprintOf(ca.publicKey),
      cluster_domain: settings.domain,
      backend: ca.backend,
      protection: ca.protection,
      created_at: ca.createdAt,
      keyring: settings.keyring,
      certificate: this.#certificates.certificateFor(keyring().activeKid()),
    };
  }

  issue(validitySeconds: number | null): Promise<CaCert> {
    return this.#certificates.issue(validitySeconds);
  }

  /** Against this cluster's own CA, domain and keys. */
  async verify(text: string): Promise<CaVerdict> {
    const { settings, keyring } = this.#parts;
    const { publicKey } = this.#open();
    const keys = keyring();
    const now = keys.trustedNow();
    const verdict = await verdictOn(text, { publicKey, domain: settings.domain, now });
    const { certificate, valid } = verdict;
    if (!valid || certificate === null) return verdict;
    const { active_kid: kid } = certificate;
    if (keys.keyOf(kid)?.status !== 'revoked') return verdict;
    return broken(certificate, 'revoked', `its key ${kid} is revoked`);
  }

  bundle(): TrustBundle {
    const { settings, keyring } = this.#parts;
    const ca = this.#open();
    return {
      v: 1,
      cluster_domain: settings.domain,
      ca_public_key_b64: encodeBase64(ca.publicKey),
      ca_kid: ca.kid,
      generated_at: formatTime(keyring().trustedNow()),
    };
  }

  async forget(kid: string): Promise<ForgottenCa> {
    const { database } = this.#parts;
    requireRecordedCa(database.current && new CaTable(database.current), kid);
    await this.supervisor.whileClosed(reservedKeyring, (settings, pins) =>
      forgetConfiguredCa(this.#parts, settings, pins),
    );
    await this.issueMissing();
    return { ca_kid: kid, new_ca_kid: this.supervisor.status().ca_kid };
  }

  certificateFor(kid: string): CaCert | null {
    return this.#certificates.certificateFor(kid);
  }

  status(): ClusterStatus {
    const { domain, keyring, ca } = this.#parts.settings;
    return {
      domain,
      keyring,
      backend: ca.backend,
      ...this.supervisor.status(),
      certificate_error: this.#certificates.lastFailure,
    };
  }

  /** Waits for what is under way, then lets go of the CA. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#cancel?.();
    await this.#certificates.idle();
    await this.supervisor.close();
  }

  #open(): CaKey {
    return this.supervisor.get(reservedKeyring);
  }

  #next(): void {
    if (this.#stopped) return;
    this.#cancel = this.#parts.world.schedule(checkInterval, () => {
      void this.issueDue().finally(() => {
        this.#next();
      });
    });
  }
}

/** The one entry of the CA. */
class SupervisedCa extends Supervisor<SupervisedCaSettings, CaKey> {
  constructor(parts: ClusterAuthorityParts) {
    const { settings, world, credentialsDir } = parts;
    super([supervisedCa(settings.ca)], configuredCa(parts), world, {
      credentialsDir,
      called: 'the cluster CA',
    });
  }

  /** What `status` says of it. */
  status(): Pick<ClusterStatus, 'ca_kid' | 'protection' | 'health' | 'last_error'> {
    const entry = this.entries()[0]?.entry ?? null;
    if (entry === null) return { ...closed, health: 'unavailable', last_error: null };
    if ('keyring' in entry) {
      const { kid, protection, health } = entry.keyring;
      const { outage, failing, lastFailure, flaw } = health;
      return {
        ca_kid: kid,
        protection,
        health:
          outage?.kind === 'locked' ? 'locked' : outage || failing || flaw ? 'unavailable' : 'ok',
        last_error: outage ?? flaw ?? lastFailure,
      };
    }
    const { failure, at } = entry;
    const health = failure.kind === 'locked' ? 'locked' : 'unavailable';
    return { ...closed, health, last_error: described(failure, at) };
  }
}

const closed = { ca_kid: null, protection: null };
