import { kidOf } from '../../algorithms/kid.ts';
import { decodePublicKey, type SshPublicKey } from '../../formats/ssh/public-key.ts';

/** A public key that a request names. */
export interface NamedKey extends SshPublicKey {
  readonly kid: string;
}

/** The keys that a connection's requests name: most name the same one again, which is read and hashed once. */
export class NamedKeys {
  #blob: Buffer | null = null;
  #key: NamedKey | null = null;

  /** null for a blob that is no key of a kind that keyrings have. */
  read(blob: Buffer): NamedKey | null {
    if (this.#blob?.equals(blob) === true) return this.#key;
    // The bytes of a request are its own, and may be long.
    const own = Buffer.from(blob);
    const key = decodePublicKey(own);
    if (key === null) return null;
    this.#blob = own;
    this.#key = { ...key, kid: kidOf(key.bytes) };
    return this.#key;
  }
}
