import { randomBytes } from 'node:crypto';
import type { Device } from './device.ts';
import type { ListedObject, OtherProgram, TokenStep } from './setup/token-program.ts';

const label = /^another program /;

/** What another program keeps in the token: a data object, where the token keeps any, and a key pair. */
export class ForeignObjects {
  readonly #device: Device;
  readonly #program: OtherProgram;
  #kept: readonly ListedObject[] = [];
  #made = 0;

  constructor(device: Device, program: OtherProgram) {
    this.#device = device;
    this.#program = program;
  }

  /** Adds a data object and a key pair. */
  async add(): Promise<void> {
    this.#made += 1;
    const name = `another program ${this.#made}`;
    const id = randomBytes(this.#device.idBytes?.value ?? 16).toString('hex');
    const value = randomBytes(24).toString('hex');
    const data: TokenStep = {
      ...({ do: 'createData', label: name, value } as const),
      isPrivate: this.#device.privateDataObjects === undefined,
    };
    const steps = this.#device.dataObjects === undefined ? [data] : [];
    // Each in a process of its own: what was made before may share its handle with what is made now.
    for (const step of steps) await this.#program.run(step);
    await this.#program.run({ do: 'createKey', label: name, id });
    this.#kept = await this.#list();
  }

  /** Removes the oldest ones; whether there were any. */
  async removeOldest(): Promise<boolean> {
    const [oldest] = this.#kept;
    if (oldest === undefined) return false;
    const gone = this.#kept.filter((object) => object.label === oldest.label);
    for (const { kind } of gone) {
      await this.#program.run({ do: 'destroy', kind, label: oldest.label });
    }
    this.#kept = this.#kept.filter((object) => object.label !== oldest.label);
    await this.check();
    return true;
  }

  get count(): number {
    return this.#kept.length;
  }

  /** Rejects unless all are as they were made, and each private half signs for its public one. */
  async check(): Promise<void> {
    const found = await this.#list();
    const text = JSON.stringify(found);
    if (text !== JSON.stringify(this.#kept)) {
      throw new Error(`another program's objects were ${JSON.stringify(this.#kept)}, now ${text}`);
    }
    const publicKeys = found.filter(({ point }) => point !== null);
    const signs = await this.#program.run(
      ...publicKeys.map((key) => ({
        ...({ do: 'signsFor', label: key.label } as const),
        point: key.point ?? '',
      })),
    );
    publicKeys.forEach((key, at) => {
      if (signs[at] !== true) throw new Error(`the key of ${key.label} signs no more`);
    });
  }

  async #list(): Promise<readonly ListedObject[]> {
    const objects = (await this.#program.list()).filter((object) => label.test(object.label));
    return [...objects].sort((a, b) => order(a).localeCompare(order(b)));
  }
}

const order = ({ label: name, kind, id }: ListedObject): string =>
  `${name.padStart(40)} ${kind} ${id}`;
