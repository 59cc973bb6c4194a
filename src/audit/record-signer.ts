import { dirname, join } from 'node:path';
import { ensurePrivateDir } from '../files/checked-dir.ts';
import { decodeBase64, encodeBase64 } from '../base/base64.ts';
import { AgentError, describeFailure } from '../base/errors.ts';
import type { Keyring } from '../keyring/keyring.ts';
import type { World } from '../base/world.ts';
import {
  jwkOf,
  jwkSetText,
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
    // The file may be lost or an older copy: earlier records are signed by whatever key is still known.
    const known =
      this.#published.size > 0
        ? []
        : [
            ...this.#copied().keys,
            ...keyring
              .recordedKeys()
              .map(({ kid: id, publicKey }) => jwkOf({ kid: id, algorithm, bytes: publicKey })),
          ];
    const text = withKeys(set, [jwkOf(key), ...known]);
    if (text !== null || identity === null) {
      const bytes = Buffer.from(text ?? jwkSetText(set), 'utf8');
      await this.#parts.world.files.replace(this.#jwksPath, bytes, identity);
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
    if (content === null) return { set: { keys: [] }, identity: null };
    const set = parseJwkSet(content.bytes.toString('utf8'));
    if (set !== null) return { set, identity: content.identity };
    throw new AgentError(
      'backend_unavailable',
      `${this.#jwksPath} is not a JWK Set: put it back from a copy, or move it away: then it is made anew from ` +
        `${this.#parts.copyPath} and the keys that the keyring has`,
    );
  }

  /** The second copy; empty where there is none, or none that can be read. */
  #copied(): JwkSet {
    const content = this.#parts.world.files.read(this.#parts.copyPath);
    return (content && parseJwkSet(content.bytes.toString('utf8'))) ?? { keys: [] };
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
