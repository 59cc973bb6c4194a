import type { StorePlace } from '../../src/keyring/record-store.ts';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Keyring } from '../../src/keyring/keyring.ts';
import { openKeyring } from '../../src/keyring/open-keyring.ts';
import { encodeBase64 } from '../../src/base/base64.ts';
import { AgentError } from '../../src/base/errors.ts';
import { macOf } from '../../src/keyring/seal/seal.ts';
import { Sidecar } from '../../src/keyring/sidecar/sidecar.ts';
import { algorithms } from '../../src/algorithms/algorithm.ts';
import { Pkcs11Modules } from '../../src/vault/pkcs11/token/module.ts';
import { openPkcs11Vault } from '../../src/vault/pkcs11/token/pkcs11-vault.ts';
import { parsePkcs11Uri } from '../../src/vault/pkcs11/uri.ts';
import type { SealStore, Vault } from '../../src/vault/vault.ts';
import { capturedLog } from './captured-log.ts';
import type { SoftHsmToken } from './softhsm.ts';
import { Clock, worldWith } from './world.ts';

/** A sidecar as it stands in its file. */
export interface SealedContent {
  keys: { id: string; public_key_b64: string; object_id: string }[];
  active: string | null;
  retired_grace_until: Record<string, string>;
  pending?: unknown[];
  seal?: { counter: number; mac_b64: string };
  [member: string]: unknown;
}

/** Stands in for a module that cannot store data objects. */
export const keepsNoSeal: SealStore = {
  read: () => Promise.resolve(null),
  write: () => Promise.reject(new AgentError('not_supported', 'it stores no data objects')),
};

/** A keyring of its own, under a name of its own, in a token that many tests share. */
export class TokenKeyring {
  readonly clock = new Clock();
  readonly name: string;
  readonly sidecarPath: string;
  readonly #folder: string;
  readonly #token: SoftHsmToken;
  readonly #sealed: boolean;
  readonly #modules = new Pkcs11Modules();
  readonly #open: Keyring[] = [];
  readonly #log = capturedLog();

  /** `sealed` false: the token keeps no seal, and the sidecar may be edited. */
  constructor(token: SoftHsmToken, name: string, options: { sealed: boolean } = { sealed: true }) {
    this.#token = token;
    this.#sealed = options.sealed;
    this.name = name;
    this.#folder = mkdtempSync(join(tmpdir(), 'sidecar-'));
    this.sidecarPath = join(this.#folder, `${name}.json`);
  }

  async vault(): Promise<Vault> {
    this.#token.use();
    const vault = await openPkcs11Vault({
      uri: parsePkcs11Uri(this.#token.uri),
      keyring: this.name,
      algorithm: algorithms.ed25519,
      sessions: 4,
      pin: Buffer.from(readFileSync(this.#token.pinFile, 'utf8').trim()),
      modules: this.#modules,
      world: worldWith(this.clock),
    });
    return this.#sealed ? vault : Object.assign(vault, { sealStore: keepsNoSeal });
  }

  /** Writes the sidecar anew, with a seal as the agent would make it for that counter. */
  async rewriteSealed(counter: number, change: (document: SealedContent) => void): Promise<void> {
    const vault = await this.vault();
    try {
      const seal = await vault.sealStore?.read();
      if (seal === undefined || seal === null) throw new Error('the token has no seal');
      const content = JSON.parse(readFileSync(this.sidecarPath, 'utf8')) as SealedContent;
      delete content.seal;
      change(content);
      const mac_b64 = encodeBase64(macOf(content, { key: seal.key, counter }));
      writeFileSync(this.sidecarPath, JSON.stringify({ ...content, seal: { counter, mac_b64 } }));
    } finally {
      await vault.close();
    }
  }

  /** For a Sidecar. */
  get storePlace(): StorePlace {
    const copyPath = join(this.#folder, 'copies', `${this.name}.json`);
    return { path: this.sidecarPath, copyPath, requireSeal: false };
  }

  /** What its keyrings have logged. */
  get logged(): readonly Record<string, unknown>[] {
    return this.#log.lines;
  }

  async open(vault?: Vault): Promise<Keyring> {
    const world = { ...worldWith(this.clock), log: this.#log.log };
    const owner = { keyring: this.name, algorithm: 'ed25519' } as const;
    const parts = {
      name: this.name,
      vault: vault ?? (await this.vault()),
      store: new Sidecar(this.storePlace, owner, world.files),
      world,
      rotation: null,
    };
    const keyring = await openKeyring(parts).catch(async (failure: unknown) => {
      await parts.vault.close();
      throw failure;
    });
    this.#open.push(keyring);
    return keyring;
  }

  /** CKA_LABEL of its objects. */
  get label(): string {
    return `signing-agent/${this.name}`;
  }

  /** As a process that was killed while it made the key may leave it. */
  removePrivateHalf(objectId: string): void {
    this.pkcs11Tool('--delete-object', '--type', 'privkey', '--id', objectId);
  }

  /** A data object of the keyring's label, by a program that is not ours. */
  writeDataObject(value: Buffer, application: string, { isPrivate } = { isPrivate: true }): void {
    const path = join(this.#folder, 'data-object');
    writeFileSync(path, value);
    const names = ['--label', this.label, '--application-label', application];
    const privacy = isPrivate ? ['--private'] : [];
    this.pkcs11Tool('--write-object', path, '--type', 'data', ...privacy, ...names);
  }

  countDataObjects(): number {
    const listed = this.pkcs11Tool('--list-objects', '--type', 'data');
    return listed.split('\n').filter((line) => line.includes(`'${this.label}'`)).length;
  }

  /** A program that is not ours, logged in to the token; answers what it printed. */
  pkcs11Tool(...args: string[]): string {
    const pin = readFileSync(this.#token.pinFile, 'utf8').trim();
    const access = ['--module', this.#token.modulePath, '--token-label', 'test', '--login'];
    return execFileSync('pkcs11-tool', [...access, '--pin', 'env:PIN', ...args], {
      env: { ...process.env, ...this.#token.environment, PIN: pin },
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    });
  }

  async reopen(): Promise<Keyring> {
    await this.close();
    return this.open();
  }

  async close(): Promise<void> {
    for (const keyring of this.#open.splice(0)) await keyring.close();
  }

  async remove(): Promise<void> {
    await this.close();
    rmSync(this.#folder, { recursive: true });
  }
}
