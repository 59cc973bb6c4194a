import { AgentError, describeFailure } from '../../base/errors.ts';
import type { Files } from '../../base/files.ts';
import { OldPinNeeded, type ResealRequest } from '../keyring-reseal.ts';
import { openSealed } from '../../formats/age/sealing.ts';
import type { TpmConnection } from './connection.ts';
import type { TpmDevices } from './device.ts';
import { readDeviceRecord, writeDeviceRecord, type DeviceRecord } from './stored/device-record.ts';
import { keyFileBytes, protectionOf, readKeyFile, type Protection } from './stored/key-file.ts';
import { KeyFolder } from './stored/key-folder.ts';
import {
  keepRecovery,
  keyringKeyFile,
  parentOfKey,
  recordOf,
  recoveryFile,
  refuseOtherKey,
} from './keyring-key.ts';
import { sealKey, unsealKey } from './sealed-key.ts';
import type { TpmWorld } from './tpm-world.ts';
import type { TpmDevicePath } from './transport/transport.ts';

export interface ResealOptions {
  readonly device: TpmDevicePath;
  /** Of the keyring, absolute. Nobody else has it open. */
  readonly folder: string;
  readonly keyring: string;
  readonly from: ResealRequest['from'];
  /** How it is sealed from now on; what the configuration says. */
  readonly to: { readonly pcrs: readonly number[]; readonly pin: Buffer | null };
  /** An age recipient; null keeps the one there is. */
  readonly recovery: string | null;
  readonly timeLimit: number;
  readonly devices: TpmDevices;
  readonly files: Files;
  readonly world: TpmWorld;
}

export interface ResealedKey {
  /** null where there was no sealed key to say so. */
  readonly before: Protection | null;
  readonly after: Protection;
  /** The keys come from another TPM, or from before this one was cleared. */
  readonly moved: boolean;
  /** Who can open the recovery file; null: there is none. */
  readonly recovery: string | null;
}

/**
 * Seals a keyring's key anew: for another PIN, other registers or their values of today, or another TPM. The new one
 * is proved before it takes the place of the one before, in one step. Rejects as `openTpmVault`, and changes nothing
 * then.
 */
export async function resealKeyring(options: ResealOptions): Promise<ResealedKey> {
  const { keyring, to, world } = options;
  const folder = new KeyFolder(options.folder, options.files);
  const { device, release } = options.devices.take(options.device, options.timeLimit);
  try {
    const known = readDeviceRecord(folder, keyring);
    const byIdentity = options.from.by === 'identity';
    // Another TPM may keep its storage root key elsewhere.
    const parent = byIdentity ? null : (known?.parent ?? parentOfKey(folder));
    return await device.use(parent, 'seal the key of this keyring anew', async (connection) => {
      const before = protectionBefore(folder);
      const secret = await openSecret(connection, folder, known, options);
      try {
        const record = known ?? recordOf(connection, secret);
        const sealed = await sealKey(connection, secret, to);
        const moved = record.rootName !== connection.root.name.toString('hex');
        let kept: DeviceRecord = {
          ...record,
          rootName: connection.root.name.toString('hex'),
          parent: connection.root.parent,
        };
        if (options.recovery !== null) {
          kept = await keepRecovery(folder, kept, secret, options.recovery, keyring);
        } else {
          await writeDeviceRecord(folder, keyring, kept);
        }
        world.testPoint('tpm/reseal-noted');
        await folder.replace(keyringKeyFile, keyFileBytes(sealed));
        return { before, after: protectionOf(sealed), moved, recovery: kept.recovery };
      } finally {
        secret.fill(0);
      }
    });
  } finally {
    await release();
    to.pin?.fill(0);
    if (options.from.by === 'device') options.from.pin?.fill(0);
  }
}

/** A broken file is no reason to refuse who has the recovery identity. */
function protectionBefore(folder: KeyFolder): Protection | null {
  try {
    const file = readKeyFile(folder, keyringKeyFile, 'sealed');
    return file === null ? null : protectionOf(file);
  } catch {
    return null;
  }
}

async function openSecret(
  connection: TpmConnection,
  folder: KeyFolder,
  known: DeviceRecord | null,
  { from, keyring }: ResealOptions,
): Promise<Buffer> {
  if (from.by === 'identity') return openRecovery(folder, known, from.identities);
  const path = folder.pathOf(keyringKeyFile);
  const file = readKeyFile(folder, keyringKeyFile, 'sealed');
  if (file === null)
    throw new AgentError('not_found', `keyring ${keyring} has no key yet (${path})`);
  if (!file.emptyAuth && from.pin === null) throw new OldPinNeeded(keyring);
  const secret = await unsealKey(connection, file, file.emptyAuth ? null : from.pin);
  if (known !== null) refuseOtherKey(secret, known, path);
  return secret;
}

async function openRecovery(
  folder: KeyFolder,
  known: DeviceRecord | null,
  identities: readonly string[],
): Promise<Buffer> {
  const path = folder.pathOf(recoveryFile);
  const bytes = folder.read(recoveryFile);
  if (bytes === null) {
    throw new AgentError('not_found', `${path} is not there: no recovery recipient was given`);
  }
  const secret = await openSealed(bytes, identities).catch((failure: unknown) => {
    throw new AgentError('invalid_params', `${path} was not opened: ${describeFailure(failure)}`, {
      cause: failure,
    });
  });
  if (known !== null) refuseOtherKey(secret, known, path);
  return secret;
}
