import { AgentError } from '../../base/errors.ts';
import { Turns } from '../../base/turns.ts';
import { flushLeftovers, TpmConnection, type TpmLine } from './connection.ts';
import { openTpmDevice } from './transport/device-transport.ts';
import { LoadedObjects } from './loaded-objects.ts';
import { connectTpm } from './transport/socket-transport.ts';
import { usualParent } from './storage-root.ts';
import { Tpm } from './tpm.ts';
import { isStaleError, translate } from './tpm-error.ts';
import type { DeviceWorld } from './tpm-world.ts';
import type { TpmDevicePath, TpmTransport } from './transport/transport.ts';

/** Opens the way to a TPM. Rejects with `backend_unavailable`. */
export type OpenTransport = (device: TpmDevicePath, timeLimit: number) => Promise<TpmTransport>;

export const openTransport: OpenTransport = ({ kind, path }, timeLimit) =>
  kind === 'unix' ? connectTpm(path, timeLimit) : openTpmDevice(path, timeLimit);

interface Line extends TpmLine {
  /** By parent. */
  readonly connections: Map<number, TpmConnection>;
}

/**
 * A TPM for all the keyrings of this process that have keys in it. Work is done one piece after the other, as the
 * TPM itself does it. A connection that is lost or spoilt is made again by the next piece of work.
 */
export class TpmDevice {
  readonly #open: () => Promise<TpmTransport>;
  readonly #world: DeviceWorld;
  readonly #turns = new Turns();
  #line: Line | null = null;
  #closed = false;

  constructor(open: () => Promise<TpmTransport>, world: DeviceWorld) {
    this.#open = open;
    this.#world = world;
  }

  /**
   * `parent`: of the blobs that the work is about (storage-root.ts); null: whichever this TPM would have. `doing`
   * completes "the TPM could not ...". Where the TPM says that what was loaded is gone, and so has done nothing,
   * everything is loaded again and the work done once more.
   *
   * Rejects as the work, with AgentErrors in the place of the TPM's.
   */
  use<T>(
    parent: number | null,
    doing: string,
    work: (connection: TpmConnection) => Promise<T>,
  ): Promise<T> {
    return this.#turns.take('tpm', async () => {
      try {
        return await this.#attempt(parent, work);
      } catch (failure) {
        throw translate(failure, doing);
      }
    });
  }

  /** Connects, where nobody has yet. Rejects with `backend_unavailable`. */
  reach(): Promise<void> {
    return this.#turns.take('tpm', async () => {
      try {
        this.#line ??= await this.#begin();
      } catch (failure) {
        throw translate(failure, 'be reached');
      }
    });
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#turns.idle();
    await this.#drop();
  }

  async #attempt<T>(
    parent: number | null,
    work: (connection: TpmConnection) => Promise<T>,
  ): Promise<T> {
    try {
      return await this.#once(parent, work);
    } catch (failure) {
      if (!isStaleError(failure)) throw failure;
      await this.#drop();
      return this.#once(parent, work);
    }
  }

  async #once<T>(
    parent: number | null,
    work: (connection: TpmConnection) => Promise<T>,
  ): Promise<T> {
    if (this.#closed) throw new AgentError('shutting_down', 'the TPM is being closed');
    this.#line ??= await this.#begin();
    const line = this.#line;
    try {
      return await work(await this.#connection(line, parent));
    } finally {
      if (line.tpm.spoilt) await this.#drop();
    }
  }

  async #begin(): Promise<Line> {
    const tpm = new Tpm(await this.#open(), this.#world);
    try {
      if (tpm.exclusive) await flushLeftovers(tpm);
    } catch (failure) {
      await tpm.close();
      throw failure;
    }
    return { tpm, objects: new LoadedObjects(tpm), connections: new Map() };
  }

  async #connection(line: Line, parent: number | null): Promise<TpmConnection> {
    const wanted = parent ?? (await usualParent(line.tpm));
    const known = line.connections.get(wanted);
    if (known !== undefined) return known;
    const connection = await TpmConnection.begin(line, wanted, this.#world);
    line.connections.set(wanted, connection);
    return connection;
  }

  async #drop(): Promise<void> {
    const line = this.#line;
    this.#line = null;
    if (line === null) return;
    if (!line.tpm.spoilt) {
      await line.objects.flush().catch(() => null); // what is gone already cannot be flushed
      for (const connection of line.connections.values()) await connection.end();
    }
    await line.tpm.close();
  }
}

/** The TPMs that this process has open, by their paths: an emulator's socket serves one connection alone. */
export class TpmDevices {
  readonly #open: OpenTransport;
  readonly #world: DeviceWorld;
  readonly #devices = new Map<string, { readonly device: TpmDevice; users: number }>();

  constructor(world: DeviceWorld, open: OpenTransport = openTransport) {
    this.#world = world;
    this.#open = open;
  }

  /** `timeLimit`: milliseconds for a command. `release` closes it with its last user. */
  take(
    path: TpmDevicePath,
    timeLimit: number,
  ): { readonly device: TpmDevice; readonly release: () => Promise<void> } {
    const id = `${path.kind}:${path.path}`;
    const entry = this.#devices.get(id) ?? {
      device: new TpmDevice(() => this.#open(path, timeLimit), this.#world),
      users: 0,
    };
    entry.users += 1;
    this.#devices.set(id, entry);
    let released = false;
    return {
      device: entry.device,
      release: async () => {
        if (released) return;
        released = true;
        entry.users -= 1;
        if (entry.users > 0) return;
        this.#devices.delete(id);
        await entry.device.close();
      },
    };
  }
}
