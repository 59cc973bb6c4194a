import { noAttestation } from '../no-attestation.ts';
import { sign as signMessage, type KeyObject } from 'node:crypto';
import { AgentError } from '../../base/errors.ts';
import { kidOf } from '../../algorithms/kid.ts';
import type { FileContent } from '../../base/files.ts';
import { ParsedFile } from '../../files/parsed-file.ts';
import type { World } from '../../base/world.ts';
import { algorithms } from '../../algorithms/algorithm.ts';
import type { Vault, VaultKey, VaultObject } from '../vault.ts';
import { privateKeyOf, publicHalfOf } from './seed.ts';

interface Loaded {
  readonly version: string;
  readonly privateKey: KeyObject;
  readonly publicKey: Uint8Array;
  /** Milliseconds since the epoch. */
  readonly modifiedAt: number;
}

const seedLength = 32;

/**
 * One Ed25519 key in a file of its own: the 32 bytes of its seed and nothing else (the cluster CA). The file is
 * written once and never again, and looked at by every operation.
 */
export class SeedFile implements Vault {
  readonly name = 'file';
  readonly algorithm = algorithms.ed25519;
  readonly protection = 'software';
  readonly reserve = null;
  readonly outage = null;
  readonly openings = 0;
  readonly flaw = null;
  readonly sealStore = null;
  readonly #world: Pick<World, 'files' | 'randomBytes'>;
  readonly #file: ParsedFile<Loaded>;

  constructor(path: string, world: Pick<World, 'files' | 'randomBytes'>) {
    this.#world = world;
    this.#file = new ParsedFile(path, world.files, (content) => load(path, content));
  }

  /** Rejects with `conflict` where there is a file by now: it is never replaced. */
  async generate(): Promise<VaultKey> {
    const seed = this.#world.randomBytes(seedLength);
    try {
      const privateKey = privateKeyOf(seed);
      const publicKey = publicHalfOf(privateKey);
      const message = this.#world.randomBytes(32);
      if (!this.algorithm.verify(message, signMessage(null, message, privateKey), publicKey)) {
        throw new AgentError('internal', 'a new key made a signature that does not verify');
      }
      await this.#world.files.replace(this.#file.path, seed, null);
      return { objectId: kidOf(publicKey), publicKey };
    } finally {
      seed.fill(0);
    }
  }

  /** The file may be another one by now: it signs for the key that it has. */
  async sign(key: VaultKey, message: Uint8Array): Promise<Uint8Array> {
    const { path } = this.#file;
    const loaded = await Promise.resolve(this.#file.current());
    if (loaded === null) {
      throw new AgentError('backend_unavailable', `${path} is not there: put it back from a copy`);
    }
    if (Buffer.compare(loaded.publicKey, key.publicKey) !== 0) {
      throw new AgentError(
        'backend_unavailable',
        `${path} has key ${kidOf(loaded.publicKey)} and should have ${kidOf(key.publicKey)}: put that one back`,
      );
    }
    return signMessage(null, message, loaded.privateKey);
  }

  /** Nothing: the file is for whoever made the configuration to remove. */
  async destroy(): Promise<void> {
    await Promise.resolve();
  }

  async list(): Promise<readonly VaultObject[]> {
    const loaded = await Promise.resolve(this.#file.current());
    if (loaded === null) return [];
    const { publicKey } = loaded;
    return [{ objectId: kidOf(publicKey), publicKey, hasPrivateKey: true }];
  }

  /** When the file was written last, milliseconds since the epoch; null where there is none. */
  modifiedAt(): number | null {
    return this.#file.current()?.modifiedAt ?? null;
  }

  async evidence(): Promise<null> {
    return Promise.resolve(null);
  }

  readonly importKey =
    "it would be a file keyring's, and those take keys from a backup: agentctl restore";

  attest(): Promise<never> {
    return noAttestation('it is in a file, and nothing vouches for that');
  }

  async close(): Promise<void> {
    this.#file.forget();
    return Promise.resolve();
  }
}

/** Throws `backend_unavailable` for any other length. */
function load(path: string, { bytes, identity, modifiedAt }: FileContent): Loaded {
  try {
    requireSeed(path, bytes);
    const privateKey = privateKeyOf(bytes);
    return { version: identity, privateKey, publicKey: publicHalfOf(privateKey), modifiedAt };
  } finally {
    bytes.fill(0);
  }
}

/** Throws `backend_unavailable` unless these bytes of the file are a seed. */
export function requireSeed(path: string, bytes: Uint8Array): void {
  if (bytes.length === seedLength) return;
  throw new AgentError(
    'backend_unavailable',
    `${path} has ${bytes.length} bytes, and a key is exactly ${seedLength}: it was left alone; put it back from a copy`,
  );
}
