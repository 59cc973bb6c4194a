import { createHash } from 'node:crypto';
import { AgentError } from '../../base/errors.ts';
import type { AlgorithmName } from '../../api/signing-backend.ts';
import type { HostedTarget } from '../hosted.ts';
import { TableFault } from '../kind-calls.ts';
import type { PinPlace } from '../pin-place.ts';
import { parseDevice, type TpmDevicePath } from './transport/transport.ts';

/** A TPM with the keys of a keyring, whose files are in a folder of the state dir. */
export interface TpmSettings {
  readonly backend: 'tpm';
  readonly device: TpmDevicePath;
  readonly folder: string;
  readonly sidecarPath: string;
  /** Of its second copy. */
  readonly copyPath: string;
  readonly algorithm: AlgorithmName;
  /** Ascending. */
  readonly pcrs: readonly number[];
  /** null: the key of the keyring is sealed without a PIN. */
  readonly pin: { readonly source: string | null } | null;
  /** An age recipient. */
  readonly recovery: string | null;
  /** Milliseconds. */
  readonly callTimeout: number;
  readonly requireSeal: boolean;
}

/** What a vault host opens it by. */
export type TpmAddress = Pick<
  TpmSettings,
  'device' | 'folder' | 'pcrs' | 'recovery' | 'callTimeout'
> & { readonly hasPin: boolean };

/** Completes "a key cannot be imported: ". */
export const noSeedImport =
  'it would be a P-256 key of the TPM, and this keyring has Ed25519 keys, which no TPM has: a keyring with ' +
  'algorithm = "es256" takes it';

export function tpmTarget(keyring: string, settings: TpmSettings): HostedTarget {
  const { device, folder, pcrs, recovery, callTimeout, pin } = settings;
  const place: TpmAddress = { device, folder, pcrs, recovery, callTimeout, hasPin: pin !== null };
  return {
    backend: 'tpm',
    shared: device.path,
    label: `signing-agent/${keyring}`,
    place,
  };
}

/** Throws TableFault. */
export function deviceOf(text: string): TpmDevicePath {
  try {
    return parseDevice(text);
  } catch (failure) {
    if (failure instanceof AgentError) throw new TableFault('device', failure.message);
    throw failure;
  }
}

/** `file:` and an absolute path, or `credential`. Throws TableFault. */
export function pinOf(text: string | undefined): TpmSettings['pin'] {
  if (text === undefined) return null;
  if (text === 'credential') return { source: null };
  const path = /^file:(?:\/\/)?(\/.+)$/.exec(text)?.[1];
  if (path !== undefined) return { source: path };
  throw new TableFault(
    'pin-source',
    'must be file: and the absolute path of a file, or "credential": a systemd credential, or what an operator unlocks with',
  );
}

/** Each keyring has a PIN of its own: that of the key that the TPM has sealed for it. */
export function tpmPin({ device, folder, pin, sidecarPath }: TpmSettings): PinPlace | null {
  if (pin === null) return null;
  return {
    pinSource: pin.source,
    sourceInWords: 'pin-source = "file:PATH"',
    device: createHash('sha256')
      .update(JSON.stringify([device.path, folder]))
      .digest('hex'),
    besidePath: sidecarPath,
  };
}
