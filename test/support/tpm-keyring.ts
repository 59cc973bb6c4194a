import { randomBytes } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { onTestFinished } from 'vitest';
import type { AlgorithmName } from '../../src/api/signing-backend.ts';
import { algorithms } from '../../src/algorithms/algorithm.ts';
import { durableFiles } from '../../src/files/durable-files.ts';
import { openLibc } from '../../src/native/libc.ts';
import { openTransport, TpmDevices, type OpenTransport } from '../../src/vault/tpm/device.ts';
import { openTpmVault } from '../../src/vault/tpm/open-tpm-vault.ts';
import { resealKeyring, type ResealedKey, type ResealOptions } from '../../src/vault/tpm/reseal.ts';
import type { TpmVault } from '../../src/vault/tpm/tpm-vault.ts';
import type { TpmWorld } from '../../src/vault/tpm/tpm-world.ts';
import { parseDevice } from '../../src/vault/tpm/transport/transport.ts';
import { capturedLog } from './captured-log.ts';
import type { Swtpm } from './swtpm.ts';

export interface TpmVaultChoices {
  readonly algorithm?: AlgorithmName;
  readonly pcrs?: readonly number[];
  readonly pin?: string | null;
  readonly recovery?: string | null;
  readonly transport?: OpenTransport;
  readonly testPoint?: (step: string) => void;
}

/** A rig that goes with the test. */
export function tpmKeyringOf(swtpm: Swtpm, name: string): TpmKeyringRig {
  const rig = new TpmKeyringRig(swtpm, name);
  onTestFinished(() => rig.remove());
  return rig;
}

/** A keyring of its own in an emulated TPM, as a vault alone. */
export class TpmKeyringRig {
  readonly name: string;
  readonly folder: string;
  readonly #parent: string;
  readonly #swtpm: Swtpm;
  readonly #open: TpmVault[] = [];
  readonly #log = capturedLog();

  constructor(swtpm: Swtpm, name: string) {
    this.#swtpm = swtpm;
    this.name = name;
    this.#parent = mkdtempSync(join(tmpdir(), 'tpm-keyring-'));
    this.folder = join(this.#parent, `${name}.tpm`);
  }

  get logged(): readonly Record<string, unknown>[] {
    return this.#log.lines;
  }

  world(testPoint: (step: string) => void = () => undefined): TpmWorld {
    return {
      now: Date.now,
      pause: (milliseconds) => sleep(milliseconds),
      randomBytes,
      log: this.#log.log,
      testPoint,
    };
  }

  /** `devices` of its own: as another process, which is why the one before has to be closed first. */
  async open(choices: TpmVaultChoices = {}): Promise<TpmVault> {
    const { algorithm = 'es256', pcrs = [], pin = null, recovery = null } = choices;
    const world = this.world(choices.testPoint);
    const vault = await openTpmVault({
      device: parseDevice(this.#swtpm.device),
      folder: this.folder,
      keyring: this.name,
      algorithm: algorithms[algorithm],
      pcrs,
      pin: pin === null ? null : Buffer.from(pin, 'utf8'),
      recovery,
      timeLimit: 10_000,
      devices: new TpmDevices(world, choices.transport ?? openTransport),
      files: durableFiles(openLibc()),
      world,
    });
    this.#open.push(vault);
    return vault;
  }

  async reopen(choices: TpmVaultChoices = {}): Promise<TpmVault> {
    await this.close();
    return this.open(choices);
  }

  /** As an operator does while no agent runs. */
  async reseal(
    from: ResealOptions['from'],
    to: { readonly pcrs?: readonly number[]; readonly pin?: string | null },
    { recovery = null, testPoint }: Pick<TpmVaultChoices, 'recovery' | 'testPoint'> = {},
  ): Promise<ResealedKey> {
    await this.close();
    const { pcrs = [], pin = null } = to;
    const world = this.world(testPoint);
    return resealKeyring({
      device: parseDevice(this.#swtpm.device),
      folder: this.folder,
      keyring: this.name,
      from,
      to: { pcrs, pin: pin === null ? null : Buffer.from(pin, 'utf8') },
      recovery,
      timeLimit: 10_000,
      devices: new TpmDevices(world),
      files: durableFiles(openLibc()),
      world,
    });
  }

  files(): readonly string[] {
    return readdirSync(this.folder).toSorted();
  }

  read(name: string): string {
    return readFileSync(join(this.folder, name), 'utf8');
  }

  write(name: string, text: string): void {
    writeFileSync(join(this.folder, name), text, { mode: 0o600 });
  }

  delete(name: string): void {
    rmSync(join(this.folder, name));
  }

  async close(): Promise<void> {
    for (const vault of this.#open.splice(0)) await vault.close();
  }

  async remove(): Promise<void> {
    await this.close();
    rmSync(this.#parent, { recursive: true, force: true });
  }
}
