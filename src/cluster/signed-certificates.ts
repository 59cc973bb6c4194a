import type { CaCert } from '../api/cluster.ts';
import { isSignedBy, parseCaCert } from './ca-cert.ts';
import { DocumentError } from './document.ts';

/**
 * Certificates that a CA signed, as they were kept. Each is verified once: that takes a millisecond, there is one for
 * every key in grace, and all are looked at every two seconds and whenever somebody asks for one.
 */
export class SignedCertificates {
  #caPublicKey: Uint8Array = new Uint8Array();
  /** By text; null where the CA did not sign it, or it is none. */
  #read: ReadonlyMap<string, CaCert | null> = new Map();

  /** Those of the texts that this CA signed, in their order. Texts that are not given again are forgotten. */
  among(texts: readonly string[], caPublicKey: Uint8Array): readonly CaCert[] {
    const isSame = Buffer.compare(this.#caPublicKey, caPublicKey) === 0;
    const before = isSame ? this.#read : new Map<string, CaCert | null>();
    this.#caPublicKey = caPublicKey;
    this.#read = new Map(
      texts.map((text) => {
        const known = before.get(text);
        return [text, known === undefined ? signedBy(caPublicKey, text) : known];
      }),
    );
    return texts.flatMap((text) => this.#read.get(text) ?? []);
  }
}

/** null also for a text that somebody has edited since it was kept: another certificate takes its place. */
function signedBy(caPublicKey: Uint8Array, text: string): CaCert | null {
  try {
    const certificate = parseCaCert(text);
    return isSignedBy(certificate, caPublicKey) ? certificate : null;
  } catch (failure) {
    if (failure instanceof DocumentError) return null;
    throw failure;
  }
}
