import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { AgentError, describeFailure, errnoName } from '../../../base/errors.ts';
import { longestResponse } from '../../../formats/tpm/command.ts';
import { TpmHangs, transportError, type TpmTransport } from './transport.ts';

/** As much of a FileHandle as a TPM's device needs. */
export interface DeviceFile {
  write(bytes: Buffer): Promise<{ bytesWritten: number }>;
  read(
    bytes: Buffer,
    offset: number,
    length: number,
    position: null,
  ): Promise<{ bytesRead: number }>;
  close(): Promise<void>;
}

/**
 * The kernel's device, `/dev/tpmrm0`. A command is one write, and its response one read (tpm(4)). `timeLimit` in
 * milliseconds, for each command.
 */
export async function openTpmDevice(path: string, timeLimit: number): Promise<TpmTransport> {
  return new DeviceTransport(await openDevice(path), path, timeLimit);
}

async function openDevice(path: string): Promise<DeviceFile> {
  let file;
  try {
    file = await open(path, constants.O_RDWR);
  } catch (failure) {
    throw transportError(path, `cannot be opened: ${reasonOf(failure)}`, failure);
  }
  const isDevice = (await file.stat()).isCharacterDevice();
  if (isDevice) return file;
  await file.close();
  throw transportError(path, 'is no character device: a socket is given as unix:PATH');
}

function reasonOf(failure: unknown): string {
  const errno = errnoName(failure);
  if (errno === 'ENOENT') return 'this machine has no TPM, or it is turned off in the firmware';
  if (errno === 'EACCES') return 'its group (tss) may use it, and this user is not in it';
  if (errno === 'EBUSY') return 'another program has it';
  return errno ?? describeFailure(failure);
}

export class DeviceTransport implements TpmTransport {
  readonly exclusive = false;
  readonly #file: DeviceFile;
  readonly #path: string;
  readonly #timeLimit: number;
  #broken: AgentError | null = null;
  #running: Promise<unknown> = Promise.resolve();
  #hangs = false;

  constructor(file: DeviceFile, path: string, timeLimit: number) {
    this.#file = file;
    this.#path = path;
    this.#timeLimit = timeLimit;
  }

  async send(command: Buffer): Promise<Buffer> {
    if (this.#broken !== null) throw this.#broken;
    const exchange = this.#exchange(command);
    this.#running = exchange.catch(() => null);
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_resolve, reject) => {
      timer = setTimeout(() => {
        this.#broken ??= new TpmHangs(this.#path);
        this.#hangs = true;
        reject(this.#broken);
      }, this.#timeLimit);
    });
    try {
      return await Promise.race([exchange, late]);
    } finally {
      clearTimeout(timer);
    }
  }

  /** A command that hangs keeps the device: nobody waits for it then, and the end of the process frees it. */
  async close(): Promise<void> {
    this.#broken ??= transportError(this.#path, 'was closed');
    const closed = this.#running.then(() => this.#file.close());
    if (this.#hangs) closed.catch(() => null);
    else await closed;
  }

  async #exchange(command: Buffer): Promise<Buffer> {
    try {
      const { bytesWritten } = await this.#file.write(command);
      if (bytesWritten !== command.length) throw this.#break('took a part of a command only');
      const response = Buffer.alloc(longestResponse);
      const { bytesRead } = await this.#file.read(response, 0, response.length, null);
      return response.subarray(0, bytesRead);
    } catch (failure) {
      if (failure instanceof AgentError) throw failure;
      throw this.#break(`has failed (${errnoName(failure) ?? describeFailure(failure)})`, failure);
    }
  }

  #break(what: string, cause?: unknown): AgentError {
    this.#broken ??= transportError(this.#path, what, cause);
    return this.#broken;
  }
}
