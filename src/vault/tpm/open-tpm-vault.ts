import type { AlgorithmName } from '../../api/signing-backend.ts';
import { AgentError } from '../../base/errors.ts';
import type { Files } from '../../base/files.ts';
import type { Algorithm } from '../../algorithms/algorithm.ts';
import type { TpmConnection } from './connection.ts';
import { CounterSeal } from './counter-seal.ts';
import type { TpmDevices } from './device.ts';
import { readDeviceRecord, writeDeviceRecord, type DeviceRecord } from './stored/device-record.ts';
import { Es256Keys } from './es256-keys.ts';
import { KeyFolder } from './stored/key-folder.ts';
import { openKeyringKey, parentOfKey } from './keyring-key.ts';
import { readFacts } from './tpm-facts.ts';
import { TpmKeyring, type KeyForm } from './tpm-keyring.ts';
import { TpmVault } from './tpm-vault.ts';
import type { TpmWorld } from './tpm-world.ts';
import type { TpmDevicePath } from './transport/transport.ts';
import { WrappedSeeds } from './wrapped-seeds.ts';

export interface TpmVaultOptions {
  readonly device: TpmDevicePath;
  /** Of the keyring, absolute. */
  readonly folder: string;
  readonly keyring: string;
  readonly algorithm: Algorithm;
  /** Registers of the SHA-256 bank that the keyring's key is sealed to, ascending. */
  readonly pcrs: readonly number[];
  /** UTF-8; null for a keyring without one. Wiped before this settles, whatever the outcome. */
  readonly pin: Buffer | null;
  /** Who may open the keyring's key besides the TPM, an age recipient (`age1…`); null: nobody. */
  readonly recovery: string | null;
  /** Milliseconds for a command. */
  readonly timeLimit: number;
  readonly devices: TpmDevices;
  readonly files: Files;
  readonly world: TpmWorld;
}

/** One entry an algorithm: how its keys are kept. */
const forms: Readonly<
  Record<AlgorithmName, (keyring: TpmKeyring, algorithm: Algorithm) => KeyForm>
> = {
  es256: (keyring, algorithm) => new Es256Keys(keyring, algorithm),
  ed25519: (keyring, algorithm) => new WrappedSeeds(keyring, algorithm),
};

/**
 * Opens a keyring's keys: connects to the TPM, makes sure that it is the one that they were made under, and opens the
 * keyring's key, which is made at the first time.
 *
 * Rejects with `backend_unavailable` (TPM, its registers, the folder), `locked` (PIN), `not_supported`.
 */
export async function openTpmVault(options: TpmVaultOptions): Promise<TpmVault> {
  const { pin, keyring: name, algorithm, world, files } = options;
  const { device, release } = options.devices.take(options.device, options.timeLimit);
  try {
    const folder = new KeyFolder(options.folder, files);
    await folder.prepare();
    const known = readDeviceRecord(folder, name);
    const parent = known?.parent ?? parentOfKey(folder);
    const opened = await device.use(parent, 'open the keys of this keyring', async (connection) => {
      refuseAnother(known, connection, folder);
      const facts = await readFacts(connection.tpm);
      return { facts, ...(await openKeyringKey(connection, folder, known, options)) };
    });
    let { record } = opened;
    const keyring = new TpmKeyring({
      name,
      folder,
      world,
      protection: opened.protection,
      use: (doing, work) => device.use(opened.record.parent, doing, work),
      key: opened.secret,
    });
    const sealStore = new CounterSeal({
      folder,
      keyring: name,
      keyEncryptionKey: keyring.keyEncryptionKey,
      world,
      use: keyring.use,
      noteIndex: async (counterIndex) => {
        record = { ...record, counterIndex };
        await writeDeviceRecord(folder, name, record);
      },
      notedIndex: () => record.counterIndex,
    });
    const { manufacturer, vendorString, firmware, emulator } = opened.facts;
    world.log.info(
      {
        keyring: name,
        tpm: `${manufacturer} ${vendorString}`,
        firmware,
        emulated: emulator !== null,
      },
      'TPM opened',
    );
    return new TpmVault({
      keyring,
      form: forms[algorithm.name](keyring, algorithm),
      facts: opened.facts,
      algorithm,
      sealStore,
      release,
    });
  } catch (failure) {
    await release();
    throw failure;
  } finally {
    pin?.fill(0);
  }
}

/** Before anything is said to it that only the right one may hear. */
function refuseAnother(
  record: DeviceRecord | null,
  { root }: TpmConnection,
  folder: KeyFolder,
): void {
  if (record === null || root.name.toString('hex') === record.rootName) return;
  throw new AgentError(
    'backend_unavailable',
    `the keys in ${folder.path} are of another TPM, or this one was cleared since: its storage root key is another ` +
      'one. Nothing was changed. With the TPM back they work again; otherwise a recovery identity is needed: ' +
      'agentctl keys reseal --identity FILE',
  );
}
