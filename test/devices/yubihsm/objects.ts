import { createPrivateKey, pbkdf2Sync, randomInt, type KeyObject } from 'node:crypto';
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { algorithm, DeviceError, objectType } from './protocol.ts';

/** How many objects a YubiHSM 2 holds, the authentication keys included. */
export const mostObjects = 256;

export interface StoredObject {
  readonly type: number;
  readonly id: number;
  readonly algorithm: number;
  /** 40 bytes, padded with zeros. */
  readonly label: Buffer;
  readonly domains: number;
  /** 8 bytes. */
  readonly capabilities: Buffer;
  readonly delegated: Buffer;
  /** How many objects had that type and id before, modulo 256. */
  readonly sequence: number;
  /** 1: made in the device; 2: put into it. */
  readonly origin: number;
  /** As the device says it, bytes. */
  readonly size: number;
  /** Opaque objects: the bytes. Authentication keys: the encryption and the MAC key. */
  readonly value: Buffer;
  readonly key: KeyObject | null;
}
export type NewObject = Omit<StoredObject, 'sequence'>;

const place = ({ type, id }: { readonly type: number; readonly id: number }): number =>
  type * 0x10000 + id;

/** The device's memory; in a file too, where it is to outlive the process. */
export class ObjectStore {
  readonly #objects = new Map<number, StoredObject>();
  readonly #sequences = new Map<number, number>();
  readonly #path: string | null;

  constructor(path: string | null = null) {
    this.#path = path;
    if (path !== null && existsSync(path)) this.#load(path);
    else this.reset();
  }

  /** As it leaves the factory: one authentication key, id 1, whose password is "password". */
  reset(): void {
    this.#objects.clear();
    const everything = Buffer.alloc(8, 0xff);
    this.put({
      type: objectType.authenticationKey,
      id: 1,
      algorithm: algorithm.authenticationKey,
      label: labelOf('DEFAULT AUTHKEY CHANGE THIS ASAP'),
      domains: 0xffff,
      capabilities: everything,
      delegated: everything,
      origin: 2,
      size: 40,
      value: pbkdf2Sync('password', 'Yubico', 10_000, 32, 'sha256'),
      key: null,
    });
  }

  get size(): number {
    return this.#objects.size;
  }

  all(): readonly StoredObject[] {
    return [...this.#objects.values()];
  }

  find(type: number, id: number): StoredObject {
    const object = this.#objects.get(place({ type, id }));
    if (object === undefined) throw new DeviceError('objectNotFound');
    return object;
  }

  put(object: NewObject): StoredObject {
    const at = place(object);
    if (this.#objects.has(at)) throw new DeviceError('objectExists');
    if (this.#objects.size >= mostObjects) throw new DeviceError('storageFailed');
    const sequence = this.#sequences.get(at) ?? 0;
    const stored = { ...object, sequence };
    this.#sequences.set(at, (sequence + 1) % 256);
    this.#objects.set(at, stored);
    this.#save();
    return stored;
  }

  remove(object: StoredObject): void {
    this.#objects.delete(place(object));
    this.#save();
  }

  unusedId(type: number): number {
    for (;;) {
      const id = randomInt(1, 0xfffe);
      if (!this.#objects.has(place({ type, id }))) return id;
    }
  }

  #save(): void {
    if (this.#path === null) return;
    const text = JSON.stringify(this.all(), (_, value: unknown) =>
      isKeyObject(value)
        ? { pkcs8: value.export({ format: 'der', type: 'pkcs8' }).toString('base64') }
        : value,
    );
    writeFileSync(`${this.#path}.new`, text, { mode: 0o600 });
    renameSync(`${this.#path}.new`, this.#path);
  }

  #load(path: string): void {
    const revived: unknown = JSON.parse(readFileSync(path, 'utf8'), (_, value: unknown) => {
      if (isMember(value, 'data') && isMember(value, 'type') && value.type === 'Buffer') {
        return Buffer.from(value.data as number[]);
      }
      if (!isMember(value, 'pkcs8')) return value;
      const key = Buffer.from(String(value.pkcs8), 'base64');
      return createPrivateKey({ key, format: 'der', type: 'pkcs8' });
    });
    for (const object of revived as StoredObject[]) this.#objects.set(place(object), object);
  }
}

function labelOf(text: string): Buffer {
  return Buffer.concat([Buffer.from(text), Buffer.alloc(40)]).subarray(0, 40);
}

function isKeyObject(value: unknown): value is KeyObject {
  return typeof value === 'object' && value !== null && 'asymmetricKeyType' in value;
}

function isMember<Name extends string>(value: unknown, name: Name): value is Record<Name, unknown> {
  return typeof value === 'object' && value !== null && name in value;
}
