import { u16, u32, u8, sized, TpmFormatError, TpmReader } from './bytes.ts';
import { ST } from './constants.ts';

/** Commands and responses as a whole: TPM 2.0 Library Specification, Part 1, 18 and Part 3, 5. */

/** One entry of a command's authorisation area: TPMS_AUTH_COMMAND. */
export interface CommandAuthorization {
  readonly sessionHandle: number;
  readonly nonce: Uint8Array;
  /** TPMA_SESSION */
  readonly attributes: number;
  readonly hmac: Uint8Array;
}

export interface Command {
  readonly code: number;
  readonly handles: readonly number[];
  /** None: a command without sessions. */
  readonly authorizations: readonly CommandAuthorization[];
  readonly parameters: Uint8Array;
}

/** One entry of a response's authorisation area: TPMS_AUTH_RESPONSE. */
export interface ResponseAuthorization {
  readonly nonce: Buffer;
  readonly attributes: number;
  readonly hmac: Buffer;
}

export interface Response {
  /** TPM_RC; the rest is empty unless it is 0. */
  readonly code: number;
  readonly handle: number | null;
  readonly parameters: Buffer;
  readonly authorizations: readonly ResponseAuthorization[];
}

/** The header: tag, size, code. */
export const headerLength = 10;
/** More than any TPM sends (TPM_PT_MAX_RESPONSE_SIZE is 4096 in all that are known). */
export const longestResponse = 4096;

export function encodeCommand(command: Command): Buffer {
  const { code, handles, authorizations, parameters } = command;
  const area = Buffer.concat(
    authorizations.map(({ sessionHandle, nonce, attributes, hmac }) =>
      Buffer.concat([u32(sessionHandle), sized(nonce), u8(attributes), sized(hmac)]),
    ),
  );
  const body = Buffer.concat([
    ...handles.map(u32),
    ...(authorizations.length === 0 ? [] : [u32(area.length), area]),
    parameters,
  ]);
  const tag = authorizations.length === 0 ? ST.NO_SESSIONS : ST.SESSIONS;
  return Buffer.concat([u16(tag), u32(headerLength + body.length), u32(code), body]);
}

/** The length that a response says it has, of its first `headerLength` bytes or more. Throws TpmFormatError. */
export function responseLength(header: Uint8Array): number {
  const reader = new TpmReader(header, 'a response');
  const tag = reader.u16();
  // 0x00c4 is what a TPM 1.2 answers with, and a 2.0 that takes a command for one of 1.2.
  if (tag !== ST.NO_SESSIONS && tag !== ST.SESSIONS) {
    throw new TpmFormatError(`a response has the tag 0x${tag.toString(16)}, which TPM 2.0 has not`);
  }
  const length = reader.u32();
  if (length < headerLength || length > longestResponse) {
    throw new TpmFormatError(`a response says that it has ${length} bytes`);
  }
  return length;
}

/**
 * `answersHandle`: the command answers with a handle. `sessions`: how many entries its authorisation area had.
 * Throws TpmFormatError.
 */
export function decodeResponse(
  bytes: Uint8Array,
  { answersHandle, sessions }: { readonly answersHandle: boolean; readonly sessions: number },
): Response {
  if (responseLength(bytes) !== bytes.length) {
    throw new TpmFormatError(`a response of ${bytes.length} bytes says that it has others`);
  }
  const reader = new TpmReader(bytes, 'a response');
  const tag = reader.u16();
  reader.u32();
  const code = reader.u32();
  if (code !== 0) {
    return { code, handle: null, parameters: Buffer.alloc(0), authorizations: [] };
  }
  if ((tag === ST.SESSIONS) !== sessions > 0) {
    throw new TpmFormatError(
      'a response has no authorisation area, or one that it should not have',
    );
  }
  const handle = answersHandle ? reader.u32() : null;
  if (sessions === 0) return { code, handle, parameters: reader.rest(), authorizations: [] };
  const parameters = reader.bytes(reader.u32());
  const authorizations = Array.from({ length: sessions }, () => ({
    nonce: reader.sized(),
    attributes: reader.u8(),
    hmac: reader.sized(),
  }));
  reader.end();
  return { code, handle, parameters, authorizations };
}
