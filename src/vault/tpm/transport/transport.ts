import { AgentError } from '../../../base/errors.ts';

/** The way to one TPM: a command's bytes there, its response's bytes back, one after the other. */
export interface TpmTransport {
  /**
   * Nobody else can be connected, and no resource manager stands between: what is loaded at the start was left by
   * a process that is gone.
   */
  readonly exclusive: boolean;
  /**
   * Rejects with `backend_unavailable`, and is of no use any more then: late answers would be taken for those of
   * later commands.
   */
  send(command: Buffer): Promise<Buffer>;
  close(): Promise<void>;
}

/** `/dev/tpmrm0` or another character device, or the socket of an emulator. */
export type TpmDevicePath =
  | { readonly kind: 'device'; readonly path: string }
  | { readonly kind: 'unix'; readonly path: string };

const direct = /^\/dev\/tpm[0-9]+$/;

/** What the configuration's `device` says: an absolute path, or `unix:` and one. Throws `invalid_params`. */
export function parseDevice(text: string): TpmDevicePath {
  if (/^unix:\/./.test(text)) return { kind: 'unix', path: text.slice('unix:'.length) };
  if (!text.startsWith('/') || text.includes('\0')) {
    throw new AgentError(
      'invalid_params',
      `device ${JSON.stringify(text)} is neither the path of a device, such as /dev/tpmrm0, nor unix: and the ` +
        'path of a socket',
    );
  }
  if (direct.test(text)) {
    const managed = text.replace('tpm', 'tpmrm');
    throw new AgentError(
      'invalid_params',
      `device ${text} is the TPM without a resource manager: one program alone could use it, and a program that ` +
        `is killed leaves it full. Take ${managed}`,
    );
  }
  return { kind: 'device', path: text };
}

/** A command had no answer: what it does to the device only the end of this process undoes. */
export class TpmHangs extends AgentError {
  constructor(path: string) {
    super('backend_unavailable', `the TPM at ${path} did not answer in time`);
  }
}

/** `what` completes "the TPM at PATH ...". */
export function transportError(path: string, what: string, cause?: unknown): AgentError {
  return new AgentError('backend_unavailable', `the TPM at ${path} ${what}`, { cause });
}
