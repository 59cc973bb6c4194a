import { dirname, join } from 'node:path';
import { ensurePrivateDir } from '../files/checked-dir.ts';
import { decodeBase64, encodeBase64 } from '../base/base64.ts';
import { AgentError, describeFailure } from '../base/errors.ts';
import type { Keyring } from '../keyring/keyring.ts';
import type { World } from '../base/world.ts';
import {
  hasKey,
  parseJwkSet,
  withKeys,
  type JwkSet,
  type PublicKey,
} from '../formats/jose/jwks.ts';
import { signedBytes, type AuditRecord } from './chain/record.ts';

/** While a record is being signed no other one is written, milliseconds. */
const longestSigning = 5000;
const longestReason = 500;

type SigningKeyring = Pick<
  Keyring,
  'activeKid' | 'publicKeyB64' | 'recordedKeys' | 'description' | 'sign'
>;

export interface RecordSignerParts {
  /** The keyring whose active key signs. Throws while it is locked or away. */
  readonly keyring: () => SigningKeyring;
  /** Directory of the log. */
  readonly dir: string;
  /** Of the second copy of its JWK Set: pruned keys can be had from nowhere else. */
  readonly copyPath: string;
  readonly world: Pick<World, 'files' | 'schedule'>;
}

/** Signs the log's own records, straight with the keyring: that is no operation, and so is not recorded itself. */
export class RecordSigner {
  readonly #parts: RecordSignerParts;
  readonly #jwksPath: string;
  /** Known to be in the JWK Set. */
  readonly #published = new Set<string>();

  constructor(parts: RecordSignerParts) {
    this.#parts = parts;
    this.#jwksPath = join(parts.dir, 'jwks.json');
  }

  /** Whether there is a key to sign with, as far as can be told without signing. */
  get isReady(): boolean {
    try {
      this.#parts.keyring().activeKid();
      return true;
    } catch {
      return false;
    }
  }

  /** Throws AgentError where jwks.json is there and is no JWK Set. */
  checkPublished(): void {
    this.#readPublished();
  }

  /** The record with its signature, or with the reason why it has none. Never rejects. */
  async sign(record: AuditRecord): Promise<AuditRecord> {
    try {
      return await this.#within(longestSigning, this.#sign(record));
    } catch (failure) {
      const reason = `not signed: ${describeFailure(failure)}`.slice(0, longestReason);
      const why = record.reason === null ? reason : `${record.reason}; ${reason}`;
      return { ...record, signer: null, signature: '', reason: why };
    }
  }

  async #sign(record: AuditRecord): Promise<AuditRecord> {
    const keyring = this.#parts.keyring();
    const kid = keyring.activeKid();
    try {
      return await this.#signWith(keyring, kid, record);
    } catch (failure) {
      // It was revoked in this moment.
      if (!(failure instanceof AgentError && failure.kind === 'unknown_kid')) throw failure;
      return this.#signWith(keyring, keyring.activeKid(), record);
    }
  }

  async #signWith(keyring: SigningKeyring, kid: string, record: AuditRecord): Promise<AuditRecord> {
    await this.#publish(keyring, kid);
    const named = { ...record, signer: kid, signature: '' };
    const { signature } = await keyring.sign(signedBytes(named), kid);
    return { ...named, signature: encodeBase64(signature) };
  }

  /** Before its first use: pruned keys can be had from nowhere else. */
  async #publish(keyring: SigningKeyring, kid: string): Promise<void> {
    if (this.#published.has(kid)) return;
    const bytes = decodeBase64((await keyring.publicKeyB64(kid)) ?? '');
    if (bytes === null || bytes.length === 0) {
      throw new AgentError('unknown_kid', `key ${kid} is valid no more`);
    }
    const { algorithm } = keyring.description;
    const key: PublicKey = { kid, algorithm, bytes };
    const { set, identity } = this.#readPublished();
    // Where the file is lost, every key counts that is still known: earlier records are signed by them.
    const recorded =
      identity === null
        ? keyring
            .recordedKeys()
            .map(({ kid, publicKey }): PublicKey => ({ kid, algorithm, bytes: publicKey }))
        : [];
    const missing = [key, ...recorded.filter((one) => one.kid !== kid)].filter(
      (one) => !hasKey(set, one),
    );
    if (missing.length > 0 || identity === null) {
      const text = Buffer.from(withKeys(set, missing), 'utf8');
      await this.#parts.world.files.replace(this.#jwksPath, text, identity);
    }
    await this.#copy();
    this.#published.add(kid);
  }

  async #copy(): Promise<void> {
    const { copyPath, world } = this.#parts;
    const content = world.files.read(this.#jwksPath);
    if (content === null) return;
    ensurePrivateDir(dirname(copyPath));
    const before = world.files.read(copyPath);
    if (before?.bytes.equals(content.bytes) === true) return;
    await world.files.replace(copyPath, content.bytes, before?.identity ?? null);
  }

  #readPublished(): { readonly set: JwkSet; readonly identity: string | null } {
    const { files } = this.#parts.world;
    const content = files.read(this.#jwksPath);
    if (content === null) {
      const copy = files.read(this.#parts.copyPath);
      const set = copy === null ? null : parseJwkSet(copy.bytes.toString('utf8'));
      return { set: set ?? { keys: [] }, identity: null };
    }
    const set = parseJwkSet(content.bytes.toString('utf8'));
    if (set !== null) return { set, identity: content.identity };
    throw new AgentError(
      'backend_unavailable',
      `${this.#jwksPath} is not a JWK Set: put it back from a copy, or move it away: then it is made anew from ` +
        `${this.#parts.copyPath} and the keys that the keyring has`,
    );
  }

  #within<T>(milliseconds: number, work: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const cancel = this.#parts.world.schedule(milliseconds, () => {
        reject(
          new AgentError('backend_unavailable', `the keyring did not sign in ${milliseconds} ms`),
        );
      });
      work.finally(cancel).then(resolve, reject);
    });
  }
}
