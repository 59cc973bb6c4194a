import { AgentError } from '../../base/errors.ts';
import { emptySized, sized, u32 } from '../../formats/tpm/bytes.ts';
import { ALG, CC, OBJECT, P256, RH } from '../../formats/tpm/constants.ts';
import { RC } from '../../formats/tpm/response-codes.ts';
import {
  encodePublicArea,
  encodeSensitive,
  nameOf,
  pointOf,
  readPublicArea,
  type EccArea,
  type PublicArea,
} from '../../formats/tpm/public-area.ts';
import { emptyPassword, type NamedHandle, type Tpm } from './tpm.ts';
import { isCode } from './tpm-error.ts';

/** The storage root key: the parent of all that this program keeps in files. */
export interface StorageRoot extends NamedHandle {
  readonly name: Buffer;
  /** The uncompressed point of its public key: what sessions are salted to. */
  readonly point: Buffer;
  /** How a key file names it: its persistent handle, or the hierarchy that it is made from again each time. */
  readonly parent: number;
}

/** Where a TPM's storage root key is kept (TCG TPM v2.0 Provisioning Guidance, 7.8). */
export const persistentRoot = 0x81000001;

const attributes =
  OBJECT.FIXED_TPM |
  OBJECT.FIXED_PARENT |
  OBJECT.SENSITIVE_DATA_ORIGIN |
  OBJECT.USER_WITH_AUTH |
  OBJECT.NO_DA |
  OBJECT.RESTRICTED |
  OBJECT.DECRYPT;

/** Template H-2 of the TCG EK Credential Profile, B.4.5, which key files mean by a hierarchy as the parent. */
const template: EccArea = {
  type: 'ecc',
  nameAlg: ALG.SHA256,
  attributes,
  authPolicy: Buffer.alloc(0),
  symmetric: { algorithm: ALG.AES, keyBits: 128, mode: ALG.CFB },
  scheme: null,
  curve: P256,
  x: Buffer.alloc(0),
  y: Buffer.alloc(0),
};

export const owner: NamedHandle = { handle: RH.OWNER, name: u32(RH.OWNER) };

/** The persistent one, where there is one and it is as this program would make it; else one to be made. */
export async function usualParent(tpm: Tpm): Promise<number> {
  return (await persistent(tpm)) === null ? RH.OWNER : persistentRoot;
}

/** `parent`: TPM_RH_OWNER, for one that is made now and stays until the connection ends, or `persistentRoot`. */
export async function findStorageRoot(tpm: Tpm, parent: number): Promise<StorageRoot> {
  if (parent === RH.OWNER) return createPrimary(tpm);
  const kept = parent === persistentRoot ? await persistent(tpm) : null;
  if (kept !== null) return kept;
  throw new AgentError(
    'backend_unavailable',
    `the keys of this keyring are under a storage root key at 0x${parent.toString(16)}, which the TPM does not have: ` +
      'it was cleared, that key was removed, or this is another TPM',
  );
}

async function persistent(tpm: Tpm): Promise<StorageRoot | null> {
  const handle = { handle: persistentRoot, name: u32(persistentRoot) };
  try {
    const { parameters } = await tpm.run({ code: CC.ReadPublic, handles: [handle] });
    return rootOf(persistentRoot, parameters.sized(), persistentRoot);
  } catch (failure) {
    if (isCode(failure, RC.HANDLE, RC.VALUE)) return null;
    throw failure;
  }
}

async function createPrimary(tpm: Tpm): Promise<StorageRoot> {
  try {
    const { handle, parameters } = await tpm.run(
      {
        code: CC.CreatePrimary,
        handles: [owner],
        parameters: Buffer.concat([
          encodeSensitive(Buffer.alloc(0), Buffer.alloc(0)),
          sized(encodePublicArea(template)),
          emptySized, // outside info
          u32(0), // PCRs
        ]),
        answersHandle: true,
      },
      [emptyPassword],
    );
    const root = rootOf(handle, parameters.sized(), RH.OWNER);
    if (root !== null) return root;
  } catch (failure) {
    if (!isCode(failure, RC.BAD_AUTH, RC.AUTH_FAIL)) throw failure;
    throw new AgentError(
      'backend_unavailable',
      'the owner of this TPM has set a password, and the TPM keeps no storage root key of P-256: make it once, as ' +
        'the owner, with: tpm2_createprimary -C o -g sha256 -G ecc256:aes128cfb ' +
        "-a 'fixedtpm|fixedparent|sensitivedataorigin|userwithauth|noda|restricted|decrypt' -P OWNER-PASSWORD " +
        '-c srk.ctx && tpm2_evictcontrol -C o -P OWNER-PASSWORD -c srk.ctx 0x81000001',
      { cause: failure },
    );
  }
  throw new AgentError(
    'backend_unavailable',
    'the TPM made another storage root key than it was asked for',
  );
}

/** null where it is another key than this program would make. */
function rootOf(handle: number, area: Buffer, parent: number): StorageRoot | null {
  const read = readIfKnown(area);
  const point = read === null ? null : pointOf(read);
  if (read?.type !== 'ecc' || point === null) return null;
  const asTemplate = encodePublicArea({ ...read, x: template.x, y: template.y });
  if (!asTemplate.equals(encodePublicArea(template))) return null;
  return { handle, name: nameOf(area), point, parent };
}

function readIfKnown(area: Buffer): PublicArea | null {
  try {
    return readPublicArea(area);
  } catch {
    return null; // of a type that this program has no use for
  }
}
