import { AgentError } from '../../base/errors.ts';
import { sealFor } from '../../formats/age/sealing.ts';
import type { TpmConnection } from './connection.ts';
import { writeDeviceRecord, type DeviceRecord } from './stored/device-record.ts';
import { keyFor } from './envelope.ts';
import { keyFileBytes, protectionOf, readKeyFile, type Protection } from './stored/key-file.ts';
import type { KeyFolder } from './stored/key-folder.ts';
import { PcrsDiffer, sealKey, unsealKey } from './sealed-key.ts';
import type { TpmWorld } from './tpm-world.ts';

/** The key of a keyring, which its TPM has sealed: seeds and secrets of the keyring are under it. */

export const keyringKeyFile = 'keyring-key.pem';
export const recoveryFile = 'recovery.age';
const keyLength = 32;

export interface KeyringKeyOptions {
  readonly keyring: string;
  readonly pcrs: readonly number[];
  readonly pin: Uint8Array | null;
  readonly recovery: string | null;
  readonly world: TpmWorld;
}

export interface KeyringKey {
  /** The caller's to wipe. */
  readonly secret: Buffer;
  readonly protection: Protection;
  readonly record: DeviceRecord;
}

/** Of its file, where there is one: for a keyring whose `device.json` was lost. */
export function parentOfKey(folder: KeyFolder): number | null {
  return readKeyFile(folder, keyringKeyFile, 'sealed')?.parent ?? null;
}

/**
 * Opens it, or makes it where the keyring has nothing yet. `known`: which TPM it is of; null where nothing says so.
 * Then that the TPM opens the key says it, and is written down.
 */
export async function openKeyringKey(
  connection: TpmConnection,
  folder: KeyFolder,
  known: DeviceRecord | null,
  options: KeyringKeyOptions,
): Promise<KeyringKey> {
  const { keyring, pcrs, pin, recovery, world } = options;
  const file = readKeyFile(folder, keyringKeyFile, 'sealed');
  if (file === null) return makeKeyringKey(connection, folder, known, options);
  const protection = protectionOf(file);
  refuseOther(protection, { pcrs, pin: pin !== null }, keyring);
  const secret = await unsealKey(connection, file, pin).catch((failure: unknown) => {
    throw failure instanceof PcrsDiffer ? withWayBack(failure, folder, keyring) : failure;
  });
  const record = known ?? recordOf(connection, secret);
  refuseOtherKey(secret, record, folder.pathOf(keyringKeyFile));
  if (recovery !== null && record.recovery !== recovery) {
    const kept = await keepRecovery(folder, record, secret, recovery, keyring);
    world.log.info(
      { keyring, recovery },
      'the recovery recipient of this keyring is another one now',
    );
    return { secret, protection, record: kept };
  }
  if (known === null) await writeDeviceRecord(folder, keyring, record);
  return { secret, protection, record };
}

/** `counterIndex` of a keyring that has one already stands in the file of its seal too. */
export function recordOf({ root }: TpmConnection, secret: Uint8Array): DeviceRecord {
  return {
    rootName: root.name.toString('hex'),
    parent: root.parent,
    counterIndex: null,
    recovery: null,
    keyCheck: checkOf(secret),
  };
}

function checkOf(secret: Uint8Array): string {
  return keyFor(secret, 'check').toString('hex');
}

/** What is under one key opens with no other: it would look broken. `path`: of what the secret came from. */
export function refuseOtherKey(secret: Uint8Array, { keyCheck }: DeviceRecord, path: string): void {
  if (checkOf(secret) === keyCheck) return;
  throw new AgentError(
    'backend_unavailable',
    `${path} has another key than this keyring's: put the right one back from a copy`,
  );
}

async function makeKeyringKey(
  connection: TpmConnection,
  folder: KeyFolder,
  known: DeviceRecord | null,
  options: KeyringKeyOptions,
): Promise<KeyringKey> {
  const { keyring, pcrs, pin, recovery, world } = options;
  refuseLostKey(folder, keyring);
  const secret = world.randomBytes(keyLength);
  const sealed = await sealKey(connection, secret, { pcrs, pin });
  // Which TPM it is stands written before anything is under it. What a start that was cut off has written is over.
  const record = { ...recordOf(connection, secret), counterIndex: known?.counterIndex ?? null };
  await writeDeviceRecord(folder, keyring, record);
  world.testPoint('tpm/device-noted');
  // Before the key is in use: afterwards there may be no way back.
  const kept =
    recovery === null ? record : await keepRecovery(folder, record, secret, recovery, keyring);
  await folder.create(keyringKeyFile, keyFileBytes(sealed));
  world.log[recovery === null ? 'warn' : 'info'](
    { keyring, pcrs, pin: pin !== null, recovery },
    recovery === null
      ? 'the key of this keyring was sealed by the TPM and has no recovery recipient: where the TPM is cleared or ' +
          'breaks, or its registers change for good, the keys of this keyring are lost'
      : 'the key of this keyring was sealed by the TPM, and for the recovery recipient',
  );
  return { secret, protection: protectionOf(sealed), record: kept };
}

/** Seals the key for the recipient too, and notes who that is. */
export async function keepRecovery(
  folder: KeyFolder,
  record: DeviceRecord,
  secret: Buffer,
  recovery: string,
  keyring: string,
): Promise<DeviceRecord> {
  await folder.replace(recoveryFile, Buffer.from(await sealFor([recovery], secret)));
  const kept = { ...record, recovery };
  await writeDeviceRecord(folder, keyring, kept);
  return kept;
}

/** A new key beside keys that are under the one before would be the end of those. */
function refuseLostKey(folder: KeyFolder, keyring: string): void {
  const keys = folder.names().filter((name) => /^[0-9a-f]{32}\.|^seal\.json$/.test(name));
  if (keys.length === 0) return;
  throw new AgentError(
    'backend_unavailable',
    `${folder.pathOf(keyringKeyFile)} is missing, and there are keys that need it: put it back from a copy, or make ` +
      `it anew from ${recoveryFile} with: agentctl keys reseal --keyring ${keyring} --identity FILE`,
  );
}

function refuseOther(found: Protection, wanted: Protection, keyring: string): void {
  const remedy = `change that with: agentctl keys reseal --keyring ${keyring}`;
  if (found.pcrs.join() !== wanted.pcrs.join()) {
    throw new AgentError(
      'backend_unavailable',
      `the key of keyring ${keyring} is sealed to ${pcrsText(found.pcrs)}, and the configuration says ` +
        `${pcrsText(wanted.pcrs)}: ${remedy}`,
    );
  }
  if (found.pin === wanted.pin) return;
  throw new AgentError(
    found.pin ? 'locked' : 'backend_unavailable',
    found.pin
      ? `the key of keyring ${keyring} is sealed with a PIN, and the configuration has no pin-source: ${remedy}`
      : `the key of keyring ${keyring} is sealed without a PIN, and the configuration has a pin-source: ${remedy}`,
  );
}

function pcrsText(pcrs: readonly number[]): string {
  return pcrs.length === 0 ? 'no PCRs' : `PCR ${pcrs.join(', ')}`;
}

function withWayBack(failure: PcrsDiffer, folder: KeyFolder, keyring: string): AgentError {
  const wayBack = folder.names().includes(recoveryFile)
    ? `where the change is known and right, seal it anew with: agentctl keys reseal --keyring ${keyring} --identity FILE`
    : 'there is no recovery recipient, so the former state has to come back (the former firmware or settings)';
  return new AgentError('backend_unavailable', `${failure.message}; ${wayBack}`, {
    cause: failure,
  });
}
