import * as z from 'zod';
import { AgentError } from '../../../base/errors.ts';
import { describeProblem } from '../../../files/document-fields.ts';
import type { KeyFolder } from './key-folder.ts';

/** `device.json`: which TPM the keys of a keyring are of. Nothing in it is secret. */
const document = z.strictObject({
  version: z.literal(1),
  keyring: z.string(),
  /** The name (Part 1, 16) of the storage root key, in hex. */
  root_name: z.string().regex(/^000b[0-9a-f]{64}$/, 'must be a SHA-256 name in hex'),
  /** A handle. */
  parent: z.int().min(0).max(0xffffffff),
  /** Of the counter that seals the key records; written before it is defined. */
  counter_index: z.int().min(0x01000000).max(0x01ffffff).optional(),
  /** Who can open `recovery.age`. */
  recovery: z.string().optional(),
  /** Derived from the keyring's key, which it is told by. */
  key_check: z.string(),
});

export interface DeviceRecord {
  readonly rootName: string;
  readonly parent: number;
  readonly counterIndex: number | null;
  readonly recovery: string | null;
  readonly keyCheck: string;
}

const deviceRecordFile = 'device.json';

/** null where there is none. Throws `backend_unavailable` for one that is broken or of another keyring. */
export function readDeviceRecord(folder: KeyFolder, keyring: string): DeviceRecord | null {
  const bytes = folder.read(deviceRecordFile);
  if (bytes === null) return null;
  try {
    const read = document.parse(JSON.parse(bytes.toString('utf8')));
    if (read.keyring !== keyring) throw new Error(`it is of keyring ${read.keyring}`);
    const { root_name, parent, counter_index = null, recovery = null, key_check } = read;
    return {
      rootName: root_name,
      parent,
      counterIndex: counter_index,
      recovery,
      keyCheck: key_check,
    };
  } catch (failure) {
    throw new AgentError(
      'backend_unavailable',
      `${folder.pathOf(deviceRecordFile)} is not what keyring ${keyring} wrote: ${describeProblem(failure)}. ` +
        'Put it back from a copy',
      { cause: failure },
    );
  }
}

export async function writeDeviceRecord(
  folder: KeyFolder,
  keyring: string,
  { rootName, parent, counterIndex, recovery, keyCheck }: DeviceRecord,
): Promise<void> {
  const content: z.input<typeof document> = {
    version: 1,
    keyring,
    root_name: rootName,
    parent,
    ...(counterIndex === null ? {} : { counter_index: counterIndex }),
    ...(recovery === null ? {} : { recovery }),
    key_check: keyCheck,
  };
  await folder.replace(deviceRecordFile, Buffer.from(`${JSON.stringify(content, null, 2)}\n`));
}
