import type { BackendName } from '../api/signing-backend.ts';

/** What is recorded of the cluster CA, so that a lost key is noticed and what a kill leaves is told apart. */
export interface CaRecord {
  readonly backend: BackendName;
  /** CKA_ID in lowercase hex that its key has, or is to have; null where the backend has no objects. */
  readonly objectId: string | null;
  /** null: it was announced, and whether it was made is not known. */
  readonly key: CaIdentity | null;
}

export interface CaIdentity {
  readonly kid: string;
  /** 32 bytes. */
  readonly publicKey: Uint8Array;
  /** RFC 3339. */
  readonly createdAt: string;
}

/** Where that is kept. Every method rejects with an AgentError. */
export interface CaRecords {
  /** null: there never was one, as far as anybody knows. */
  read(): CaRecord | null;
  /** Puts the record in the place of the one before; durable when it resolves. */
  write(record: CaRecord): Promise<void>;
}

/** A certificate that was issued. */
export interface IssuedCertificate {
  readonly kid: string;
  /** The certificate's own text. */
  readonly text: string;
}

/** Where they are kept. */
export interface CertificateStore {
  /** The newest first. Of certificates that are the same to the byte there is one. */
  list(): readonly IssuedCertificate[];
  add(certificate: IssuedCertificate): Promise<void>;
  remove(certificates: readonly IssuedCertificate[]): Promise<void>;
}
