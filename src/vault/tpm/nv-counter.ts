import { AgentError } from '../../base/errors.ts';
import { sized, u16, u32 } from '../../formats/tpm/bytes.ts';
import { ALG, CC, NV } from '../../formats/tpm/constants.ts';
import { encodeNvPublic, nvName, readNvPublic, type NvPublic } from '../../formats/tpm/nv.ts';
import { RC } from '../../formats/tpm/response-codes.ts';
import type { TpmConnection } from './connection.ts';
import { owner } from './storage-root.ts';
import type { NamedHandle } from './tpm.ts';
import { isCode } from './tpm-error.ts';

/**
 * A counter in the TPM's own memory (Part 1, 37.2.4). It only goes up: one that is removed and defined anew begins
 * above every value that any counter of this TPM has had.
 */
export interface CounterIdentity {
  readonly index: number;
  /** 32 bytes that stand in the place of its policy, which nobody can fulfil: they tell it from others' counters. */
  readonly tag: Uint8Array;
  /** Without it it can be neither read nor raised. */
  readonly auth: Uint8Array;
}

const counterLength = 8;
const attributes = NV.COUNTER | NV.AUTH_WRITE | NV.AUTH_READ | NV.NO_DA;

/** `gone`: there is no such index. `foreign`: somebody else's. `ours`: with a value, once it was raised first. */
export type FoundCounter =
  | { readonly is: 'gone' | 'foreign' }
  | { readonly is: 'ours'; readonly handle: NamedHandle; readonly written: boolean };

export async function findCounter(
  connection: TpmConnection,
  { index, tag }: Pick<CounterIdentity, 'index' | 'tag'>,
): Promise<FoundCounter> {
  const area = await readNv(connection, index);
  if (area === null) return { is: 'gone' };
  const expected = publicArea({ index, tag });
  const asDefined = encodeNvPublic({ ...area, attributes: area.attributes & ~NV.WRITTEN });
  if (!asDefined.equals(encodeNvPublic(expected))) return { is: 'foreign' };
  return {
    is: 'ours',
    handle: { handle: index, name: nvName(area) },
    written: (area.attributes & NV.WRITTEN) !== 0,
  };
}

/** Defines it; `taken` where there is another of that index. `not_supported` where the TPM or its owner forbids it. */
export async function defineCounter(
  connection: TpmConnection,
  identity: CounterIdentity,
): Promise<'defined' | 'taken'> {
  const parameters = Buffer.concat([
    sized(identity.auth),
    sized(encodeNvPublic(publicArea(identity))),
  ]);
  try {
    await connection.tpm.run({ code: CC.NV_DefineSpace, handles: [owner], parameters }, [
      connection.authorized(undefined, { command: true }),
    ]);
    return 'defined';
  } catch (failure) {
    if (isCode(failure, RC.NV_DEFINED)) return 'taken';
    const reason = isCode(failure, RC.BAD_AUTH, RC.AUTH_FAIL)
      ? 'its owner has set a password'
      : isCode(failure, RC.NV_SPACE, RC.NV_UNAVAILABLE, RC.ATTRIBUTES, RC.COMMAND_CODE)
        ? `it has no room for one, or none at all (${failure.message})`
        : null;
    if (reason === null) throw failure;
    throw new AgentError('not_supported', `the TPM keeps no counter for this program: ${reason}`, {
      cause: failure,
    });
  } finally {
    parameters.fill(0);
  }
}

/** Raises it by one. Its name changes with the first time. */
export async function raiseCounter(
  connection: TpmConnection,
  handle: NamedHandle,
  auth: Uint8Array,
): Promise<void> {
  await connection.tpm.run({ code: CC.NV_Increment, handles: [handle, handle] }, [
    connection.authorized(auth),
  ]);
}

export async function readCounter(
  connection: TpmConnection,
  handle: NamedHandle,
  auth: Uint8Array,
): Promise<bigint> {
  const { parameters } = await connection.tpm.run(
    {
      code: CC.NV_Read,
      handles: [handle, handle],
      parameters: Buffer.concat([u16(counterLength), u16(0)]),
    },
    [connection.authorized(auth, { response: true })],
  );
  return parameters.sized().readBigUInt64BE(0);
}

async function readNv(connection: TpmConnection, index: number): Promise<NvPublic | null> {
  try {
    const { parameters } = await connection.tpm.run({
      code: CC.NV_ReadPublic,
      handles: [{ handle: index, name: u32(index) }],
    });
    return readNvPublic(parameters.sized());
  } catch (failure) {
    if (isCode(failure, RC.HANDLE)) return null;
    throw failure;
  }
}

function publicArea({ index, tag }: Pick<CounterIdentity, 'index' | 'tag'>): NvPublic {
  return { index, nameAlg: ALG.SHA256, attributes, authPolicy: tag, dataSize: counterLength };
}
