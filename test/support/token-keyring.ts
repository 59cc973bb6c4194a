import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Keyring } from '../../src/keyring/keyring.ts';
import { openKeyring } from '../../src/keyring/open-keyring.ts';
import { Sidecar } from '../../src/state/sidecar.ts';
import { algorithms } from '../../src/vault/algorithm.ts';
import { Pkcs11Modules } from '../../src/vault/pkcs11/module.ts';
import { openPkcs11Vault } from '../../src/vault/pkcs11/pkcs11-vault.ts';
import { parsePkcs11Uri } from '../../src/vault/pkcs11/uri.ts';
import type { Vault } from '../../src/vault/vault.ts';
import type { SoftHsmToken } from './softhsm.ts';
import { Clock, worldWith } from './world.ts';

/** A keyring of its own, under a name of its own, in a token that many tests share. */
export class TokenKeyring {
  readonly clock = new Clock();
  readonly name: string;
  readonly sidecarPath: string;
  readonly #folder: string;
  readonly #token: SoftHsmToken;
  readonly #modules = new Pkcs11Modules();
  readonly #open: Keyring[] = [];

  constructor(token: SoftHsmToken, name: string) {
    this.#token = token;
    this.name = name;
    this.#folder = mkdtempSync(join(tmpdir(), 'sidecar-'));
    this.sidecarPath = join(this.#folder, `${name}.json`);
  }

  async vault(): Promise<Vault> {
    this.#token.use();
    return openPkcs11Vault({
      uri: parsePkcs11Uri(this.#token.uri),
      keyring: this.name,
      algorithm: algorithms.ed25519,
      sessions: 4,
      pin: Buffer.from(readFileSync(this.#token.pinFile, 'utf8').trim()),
      modules: this.#modules,
      world: worldWith(this.clock),
    });
  }

  async open(vault?: Vault): Promise<Keyring> {
    const world = worldWith(this.clock);
    const owner = { keyring: this.name, algorithm: 'ed25519' } as const;
    const parts = {
      name: this.name,
      vault: vault ?? (await this.vault()),
      store: new Sidecar(this.sidecarPath, owner, world.files),
      world,
    };
    const keyring = await openKeyring(parts).catch(async (failure: unknown) => {
      await parts.vault.close();
      throw failure;
    });
    this.#open.push(keyring);
    return keyring;
  }

  /** As a process that was killed while it made the key may leave it. */
  removePrivateHalf(objectId: string): void {
    const pin = readFileSync(this.#token.pinFile, 'utf8').trim();
    execFileSync(
      'pkcs11-tool',
      [
        ...['--module', this.#token.modulePath, '--token-label', 'test', '--login'],
        ...['--pin', 'env:PIN', '--delete-object', '--type', 'privkey', '--id', objectId],
      ],
      { env: { ...process.env, ...this.#token.environment, PIN: pin }, stdio: 'ignore' },
    );
  }

  async close(): Promise<void> {
    for (const keyring of this.#open.splice(0)) await keyring.close();
  }

  async remove(): Promise<void> {
    await this.close();
    rmSync(this.#folder, { recursive: true });
  }
}
