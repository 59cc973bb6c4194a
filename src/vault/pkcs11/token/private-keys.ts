import type { PKCS11 } from 'pkcs11js';
import { AgentError } from '../../../base/errors.ts';
import type { Algorithm } from '../../../algorithms/algorithm.ts';
import type { VaultKey } from '../../vault.ts';
import { CKO } from './cryptoki.ts';
import { isLoginLost, isStale } from './errors.ts';
import { faultOf, readKeyAttributes, type KeyAttributes } from './key-attributes.ts';
import type { KeyName, KeyNames } from '../../key-names.ts';
import { readPublicKey, type KeyPair } from './key-pair.ts';
import { findKeyObjects, isKeyObject, type ObjectHandle } from './objects.ts';
import type { SessionHandle } from './sessions.ts';
import { signHere, signWith } from './signing.ts';

export interface PrivateKeysParts {
  readonly lib: PKCS11;
  readonly algorithm: Algorithm;
  readonly names: KeyNames;
  /** See Pkcs11Module. */
  readonly wantsOneThread: boolean;
  /** See Quirks. */
  readonly longestMessage: number | null;
  /** Told the attributes of each key that is about to be used. */
  readonly inspect: (attributes: KeyAttributes) => void;
}

/**
 * The private keys of a keyring in one token, by object id. Before its first signature leaves here a key is found, its
 * attributes are read back, and it is proved to be the other half of its public key; then its handle is kept, since
 * searching costs a token with many objects a lot.
 */
export class PrivateKeys {
  readonly #parts: PrivateKeysParts;
  readonly #proved = new Map<string, { handle: ObjectHandle; publicKey: Uint8Array }>();

  constructor(parts: PrivateKeysParts) {
    this.#parts = parts;
  }

  /** Throws `backend_unavailable` where there is none, or more than one. */
  find(session: SessionHandle, objectId: string): ObjectHandle {
    const { lib, names } = this.#parts;
    const { privateKeys } = findKeyObjects(lib, session, names.nameOf(objectId));
    const [found] = privateKeys;
    if (found !== undefined && privateKeys.length === 1) return found;
    throw new AgentError(
      'backend_unavailable',
      found === undefined
        ? `the token has no private key ${objectId} labelled "${names.label}"`
        : `the token has ${privateKeys.length} private keys ${objectId}, and nothing tells them apart`,
    );
  }

  /** Of a pair that was just made. Rejects with `not_supported` where it is not what was asked for. */
  async prove(
    session: SessionHandle,
    pair: KeyPair,
    name: KeyName,
    message: Uint8Array,
  ): Promise<VaultKey> {
    const { lib, algorithm } = this.#parts;
    this.#check(session, pair.privateKey, name);
    const publicKey = readPublicKey(lib, session, pair.publicKey, algorithm);
    const named = isKeyObject(lib, session, pair.publicKey, CKO.PUBLIC_KEY, name);
    if (publicKey === null || !named) {
      throw new AgentError(
        'not_supported',
        `the token made a key whose public half is no ${algorithm.name} key under its id and label`,
      );
    }
    const key = { objectId: name.objectId, publicKey };
    await this.#signAndProve(session, pair.privateKey, key, message);
    return key;
  }

  async sign(session: SessionHandle, key: VaultKey, message: Uint8Array): Promise<Uint8Array> {
    const proved = this.handleOf(key);
    try {
      if (proved !== null) return await this.#signWith(session, proved, message);
      const privateKey = this.find(session, key.objectId);
      this.#check(session, privateKey, this.#parts.names.nameOf(key.objectId));
      return await this.#signAndProve(session, privateKey, key, message);
    } catch (failure) {
      this.noteStale(failure);
      throw failure;
    }
  }

  /** On this thread, with a handle of `handleOf`. */
  signHere(session: SessionHandle, handle: ObjectHandle, message: Uint8Array): Uint8Array {
    const { lib, algorithm, longestMessage } = this.#parts;
    return signHere(lib, session, algorithm, handle, message, longestMessage);
  }

  /**
   * Of a key that is proved; null of any other. The records may be other ones by now: an object id proves nothing
   * of another public key.
   */
  handleOf(key: VaultKey): ObjectHandle | null {
    const proved = this.#proved.get(key.objectId);
    return proved !== undefined && Buffer.compare(proved.publicKey, key.publicKey) === 0
      ? proved.handle
      : null;
  }

  /** It is about to be destroyed. */
  forget(objectId: string): void {
    this.#proved.delete(objectId);
  }

  /** Handles end with the login (PKCS#11, 5.6.8). */
  forgetAll(): void {
    this.#proved.clear();
  }

  noteStale(failure: unknown): void {
    if (isStale(failure) || isLoginLost(failure)) this.forgetAll();
  }

  #signWith(
    session: SessionHandle,
    key: ObjectHandle,
    message: Uint8Array,
  ): Buffer | Promise<Buffer> {
    const { lib, algorithm, longestMessage, wantsOneThread } = this.#parts;
    const sign = wantsOneThread ? signHere : signWith;
    return sign(lib, session, algorithm, key, message, longestMessage);
  }

  /** The first signature of a handle shows that it is the private half of what the records call this key. */
  async #signAndProve(
    session: SessionHandle,
    privateKey: ObjectHandle,
    key: VaultKey,
    message: Uint8Array,
  ): Promise<Uint8Array> {
    const signature = await this.#signWith(session, privateKey, message);
    if (!this.#parts.algorithm.verify(message, signature, key.publicKey)) {
      throw new AgentError(
        'backend_unavailable',
        `a signature of the token's key ${key.objectId} does not verify with its public key`,
      );
    }
    // A copy: what came over the process boundary is a view of a larger piece.
    const publicKey = Uint8Array.from(key.publicKey);
    this.#proved.set(key.objectId, { handle: privateKey, publicKey });
    return signature;
  }

  #check(session: SessionHandle, privateKey: ObjectHandle, name: KeyName): void {
    const { lib, algorithm, inspect } = this.#parts;
    const attributes = readKeyAttributes(lib, session, privateKey);
    const fault = faultOf(attributes, { ...name, keyType: algorithm.pkcs11.keyType });
    if (fault !== null) {
      throw new AgentError(
        'not_supported',
        `the token's key ${name.objectId} is refused: ${fault}`,
      );
    }
    inspect(attributes);
  }
}
