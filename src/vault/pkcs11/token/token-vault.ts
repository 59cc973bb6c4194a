import { noAttestation } from '../../no-attestation.ts';
import type { PKCS11 } from 'pkcs11js';
import { AgentError, describeFailure } from '../../../base/errors.ts';
import type { Protection } from '../../../api/signing-backend.ts';
import type { Algorithm } from '../../../algorithms/algorithm.ts';
import { noImport } from '../opening.ts';
import type { Lending, SignerFailure } from '../../hosted.ts';
import type { SealStore, Vault, VaultKey, VaultObject } from '../../vault.ts';
import { CKO } from './cryptoki.ts';
import { isGivenTwice, isStale, translate } from './errors.ts';
import { protectionOf, readKeyAttributes, type KeyAttributes } from './key-attributes.ts';
import { destroyKeyObjects, makeKeyPair, type KeyPair } from './key-pair.ts';
import { findKeysOf, idsInToken, listKeys } from './key-list.ts';
import { KeyNames, type KeyName } from '../../key-names.ts';
import type { TokenLogin } from './login.ts';
import type { Pkcs11Module } from './module.ts';
import type { ModuleWorld } from './module-log.ts';
import { findKeyObjects } from './objects.ts';
import { PrivateKeys } from './private-keys.ts';
import type { IdForm } from '../../key-names.ts';
import type { Quirks } from './quirks.ts';
import { sealObjects } from './seal-object.ts';
import type { SessionHandle, SessionPool } from './sessions.ts';
import { failureOnThread } from './signing.ts';

/** What a vault is made of; `openPkcs11Vault` puts it together. */
export interface TokenVaultParts {
  readonly module: Pkcs11Module;
  readonly login: TokenLogin;
  readonly sessions: SessionPool;
  readonly algorithm: Algorithm;
  /** CK_MECHANISM_INFO flags of key generation and of signing. */
  readonly mechanismFlags: readonly number[];
  /** CKA_LABEL of every key of this keyring, where the token takes any. */
  readonly label: string;
  readonly quirks: Quirks;
  readonly world: ModuleWorld;
}

/** The keys of one label in one token. A key without that label is neither used, listed nor destroyed. */
export class TokenVault implements Vault {
  readonly name = 'pkcs11';
  readonly outage = null;
  readonly openings = 0;
  readonly flaw = null;
  readonly sealStore: SealStore;
  readonly lending: Lending | null;
  readonly algorithm: Algorithm;
  readonly #parts: TokenVaultParts;
  readonly #lib: PKCS11;
  readonly #keys: PrivateKeys;
  readonly #names: KeyNames;
  readonly #taken = new Set<string>();
  #protection: Protection;
  #worn = false;
  #closing: Promise<void> | null = null;

  constructor(parts: TokenVaultParts) {
    this.#parts = parts;
    this.#lib = parts.module.lib;
    this.algorithm = parts.algorithm;
    this.#names = new KeyNames(parts.label, parts.quirks.ids);
    this.sealStore = sealObjects(this.#lib, parts.sessions, parts.label, parts.quirks);
    const { module } = parts;
    this.lending = module.wantsOneThread ? null : this.#lends(module.path);
    this.#protection = protectionOf(parts.mechanismFlags, []);
    this.#keys = new PrivateKeys({
      lib: this.#lib,
      algorithm: parts.algorithm,
      names: this.#names,
      wantsOneThread: parts.module.wantsOneThread,
      longestMessage: parts.quirks.longestMessage,
      inspect: (attributes) => {
        this.#noteProtection(attributes);
      },
    });
  }

  /** Falls to `software` for good with the first key that contradicts what the mechanisms claim. */
  get protection(): Protection {
    return this.#protection;
  }

  /**
   * The object with the lowest handle is gone, and this module would give its next one the handle of another:
   * another process is to open the token before anything is made.
   */
  get worn(): boolean {
    return this.#worn;
  }

  /** How ids of new keys are formed. */
  get ids(): IdForm {
    return this.#parts.quirks.ids;
  }

  /** Ids, in hex, that no new key may have: all that the token showed as it was opened, where ids are few. */
  get takenIds(): readonly string[] {
    return [...this.#taken];
  }

  /** After CKR_USER_NOT_LOGGED_IN. Throws `locked` where the token refuses the PIN, which stays the caller's. */
  logInAgain(pin: Buffer): void {
    this.#keys.forgetAll();
    try {
      this.#parts.login.again(pin);
    } catch (thrown) {
      throw translate(thrown, 'open a session');
    }
  }

  readonly reserve = (): string => {
    const objectId = this.#names.reserve({ ...this.#parts.world, taken: this.#taken });
    this.#taken.add(objectId);
    return objectId;
  };

  async generate(objectId: string | null): Promise<VaultKey> {
    const name = this.#names.nameOf(objectId ?? this.reserve());
    await this.#parts.sessions.run('look for a key', (session) => {
      const { privateKeys, publicKeys } = findKeyObjects(this.#lib, session, name);
      if (privateKeys.length + publicKeys.length === 0) return;
      throw new AgentError('already_exists', `the token has a key ${name.objectId} already`);
    });
    try {
      return await this.#makeAndProve(name);
    } catch (failure) {
      // Nothing may be removed here then: whatever was made is found by its id, in another process.
      if (!isGivenTwice(failure)) await this.#removeLeftovers(name);
      throw failure;
    }
  }

  /**
   * The key that another process made under this id and could not answer for; null where it made none. Its
   * attributes are read back and it is proved, as one that is made here. Rejects as `generate`.
   */
  adopt(objectId: string): Promise<VaultKey | null> {
    const name = this.#names.nameOf(objectId);
    return this.#parts.sessions.run('look for a key that was made', (session) => {
      const [publicKey] = findKeyObjects(this.#lib, session, name).publicKeys;
      if (publicKey === undefined) return null;
      const privateKey = this.#keys.find(session, objectId);
      return this.#prove(session, { privateKey, publicKey }, name);
    });
  }

  sign(key: VaultKey, message: Uint8Array): Promise<Uint8Array> {
    return this.#sign(key, message, null);
  }

  /** As `sign`, on this thread where that can be: for a signature that nothing else waits beside. */
  signAlone(key: VaultKey, message: Uint8Array): Uint8Array | Promise<Uint8Array> {
    const handle = this.#keys.handleOf(key);
    if (handle === null) return this.#sign(key, message, null);
    try {
      const signature = this.#parts.sessions.inPlace((session) =>
        this.#keys.signHere(session, handle, message),
      );
      return signature ?? this.#sign(key, message, null);
    } catch (failure) {
      this.#keys.noteStale(failure);
      if (isStale(failure)) return this.#sign(key, message, failure);
      throw translate(failure, 'sign');
    }
  }

  #lends(library: string): Lending {
    const { sessions, quirks } = this.#parts;
    return {
      library,
      longest: quirks.longestMessage,
      lend: () => sessions.lend(),
      takeBack: (session, failure) => {
        sessions.takeBack(session, failure && (failureOnThread(failure, 1) ?? failure));
      },
      handleOf: (key) => this.#keys.handleOf(key),
      signAfter: (key, message, failure) => this.#signAfter(key, message, failure),
    };
  }

  /** Once more where the session or the handle had gone stale; else what the thread met, in words. */
  async #signAfter(
    key: VaultKey,
    message: Uint8Array,
    failure: SignerFailure,
  ): Promise<Uint8Array> {
    const { length } = this.algorithm.toBeSigned(message);
    const met = failureOnThread(failure, length);
    if (met === null) return this.signAlone(key, message);
    this.#keys.noteStale(met);
    if (isStale(met)) return this.#sign(key, message, met);
    throw translate(met, 'sign');
  }

  async destroy(objectId: string, publicKey: Uint8Array | null = null): Promise<void> {
    const name = this.#names.nameOf(objectId);
    this.#keys.forget(objectId);
    const { firstWent } = await this.#parts.sessions.run('destroy a key', (session) =>
      destroyKeyObjects(this.#lib, session, this.algorithm, name, publicKey),
    );
    this.#worn ||= firstWent && this.#parts.quirks.firstHandleStays;
  }

  list(): Promise<readonly VaultObject[]> {
    return this.#parts.sessions.run('list its keys', (session) =>
      listKeys(this.#lib, session, this.algorithm, this.#names),
    );
  }

  evidence(key: VaultKey): Promise<Readonly<Record<string, unknown>>> {
    return this.#parts.sessions.run('read the attributes of a key', (session) => {
      const attributes = readKeyAttributes(
        this.#lib,
        session,
        this.#keys.find(session, key.objectId),
      );
      return Object.fromEntries(Object.entries(attributes).filter(([, value]) => value !== null));
    });
  }

  readonly importKey = noImport;

  attest({ objectId }: VaultKey): Promise<never> {
    const elsewhere = this.#parts.quirks.attestation(objectId);
    return noAttestation(`PKCS#11 has no function for it. ${elsewhere}`);
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  /** C_Finalize under a running signature would be a crash: the sessions come first, and once. */
  async #close(): Promise<void> {
    await this.#parts.sessions.close();
    this.#parts.login.close();
    this.#parts.module.release();
  }

  /** Takes account of what the token says of the keys that are there already. */
  async inspect(): Promise<void> {
    if (this.#parts.quirks.ids === 'two_bytes') {
      await this.#parts.sessions.run('list its ids', (session) => {
        for (const id of idsInToken(this.#lib, session)) this.#taken.add(id);
      });
    }
    // Reading every key of a large token takes long, and nothing can fall below software.
    if (this.#protection === 'software') return;
    await this.#parts.sessions.run('read the attributes of its keys', (session) => {
      for (const object of findKeysOf(this.#lib, session, CKO.PRIVATE_KEY, this.#names)) {
        this.#noteProtection(readKeyAttributes(this.#lib, session, object));
      }
    });
  }

  #makeAndProve(name: KeyName): Promise<VaultKey> {
    return this.#parts.sessions.run('make a key', async (session) => {
      // Nothing that a stale handle interrupts here may be done a second time: it would leave two keys.
      try {
        const pair = makeKeyPair(this.#lib, session, this.algorithm, name, this.#parts.quirks);
        return await this.#prove(session, pair, name);
      } catch (failure) {
        throw isStale(failure)
          ? new AgentError('backend_unavailable', 'the token lost a session while it made a key', {
              details: { retry_after_ms: 0 },
              cause: failure,
            })
          : failure;
      }
    });
  }

  #prove(session: SessionHandle, pair: KeyPair, name: KeyName): Promise<VaultKey> {
    return this.#keys.prove(session, pair, name, this.#parts.world.randomBytes(32));
  }

  async #removeLeftovers(name: KeyName): Promise<void> {
    try {
      await this.destroy(name.objectId);
    } catch (failure) {
      // The first failure is the one to report; this object is found again by its label.
      this.#parts.world.log.error(
        { object_id: name.objectId, reason: describeFailure(failure) },
        'a key that could not be made may be left in the token',
      );
    }
  }

  #sign(key: VaultKey, message: Uint8Array, failed: unknown): Promise<Uint8Array> {
    const work = (session: SessionHandle): Promise<Uint8Array> =>
      this.#keys.sign(session, key, message);
    return this.#parts.sessions.run('sign', work, failed);
  }

  #noteProtection(key: KeyAttributes): void {
    if (this.#protection !== 'software') {
      this.#protection = protectionOf(this.#parts.mechanismFlags, [key]);
    }
  }
}
