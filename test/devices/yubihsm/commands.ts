import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  randomBytes,
  sign,
  type KeyObject,
} from 'node:crypto';
import { signDigest } from './ecdsa.ts';
import { mostObjects, type NewObject, type ObjectStore, type StoredObject } from './objects.ts';
import {
  algorithm,
  DeviceError,
  has,
  objectType,
  u16,
  type Capability,
  type CommandName,
} from './protocol.ts';

/** Who asks, and what there is. */
interface CommandContext {
  readonly objects: ObjectStore;
  /** The authentication key of the session. */
  readonly login: StoredObject;
}
type Command = (data: Buffer, context: CommandContext) => Buffer;

/** What a session may ask for. What is not here gets `invalidCommand`, as from a device that lacks it. */
export const sessionCommands: Partial<Record<CommandName, Command>> = {
  echo: (data) => data,
  blink: () => Buffer.alloc(0),
  pseudoRandom: (data) => randomBytes(data.readUInt16BE(0)),
  storageInfo: (_, { objects }) =>
    Buffer.concat(
      [mostObjects, mostObjects - objects.size, 1024, 1024 - objects.size, 126].map(u16),
    ),
  listObjects: (data, { objects }) =>
    Buffer.concat(
      filtered(objects.all(), data).map(({ id, type, sequence }) =>
        Buffer.concat([u16(id), Buffer.from([type, sequence])]),
      ),
    ),
  objectInfo: (data, { objects }) => {
    const { size, origin, ...object } = objects.find(data.readUInt8(2), data.readUInt16BE(0));
    return Buffer.concat([
      ...[object.capabilities, u16(object.id), u16(size), u16(object.domains)],
      Buffer.from([object.type, object.algorithm, object.sequence, origin]),
      ...[object.label, object.delegated],
    ]);
  },
  generateAsymmetricKey: (data, { objects, login }) => {
    require(login, 'generateAsymmetric');
    const wanted = newObject(data, objectType.asymmetricKey, objects);
    return idOf(objects.put({ ...wanted, key: generated(wanted.algorithm), origin: 1, size: 24 }));
  },
  putAsymmetricKey: (data, { objects, login }) => {
    require(login, 'putAsymmetric');
    const wanted = newObject(data, objectType.asymmetricKey, objects);
    if (wanted.algorithm !== algorithm.ed25519) throw new DeviceError('invalidData');
    const seed = data.subarray(headLength, headLength + 32);
    const key = Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), seed]);
    const imported = createPrivateKey({ key, format: 'der', type: 'pkcs8' });
    return idOf(objects.put({ ...wanted, key: imported, origin: 2, size: 24 }));
  },
  publicKey: (data, { objects }) => {
    const object = objects.find(objectType.asymmetricKey, data.readUInt16BE(0));
    const { x = '', y = '' } = createPublicKey(keyOf(object)).export({ format: 'jwk' });
    const coordinates = [x, y].map((one) => Buffer.from(one, 'base64url'));
    return Buffer.concat([Buffer.from([object.algorithm]), ...coordinates]);
  },
  signEddsa: (data, { objects, login }) => {
    const object = signer(data, objects, login, 'signEddsa');
    if (object.algorithm !== algorithm.ed25519) throw new DeviceError('invalidData');
    return sign(null, data.subarray(2), keyOf(object));
  },
  signEcdsa: (data, { objects, login }) => {
    const object = signer(data, objects, login, 'signEcdsa');
    const digest = data.subarray(2);
    if (object.algorithm !== algorithm.p256) throw new DeviceError('invalidData');
    if (digest.length !== 32) throw new DeviceError('wrongLength');
    return signDigest(digest, keyOf(object));
  },
  putOpaque: (data, { objects, login }) => {
    require(login, 'putOpaque');
    const wanted = newObject(data, objectType.opaque, objects);
    const value = Buffer.from(data.subarray(headLength));
    return idOf(objects.put({ ...wanted, value, size: value.length, origin: 2 }));
  },
  getOpaque: (data, { objects, login }) => {
    require(login, 'getOpaque');
    return objects.find(objectType.opaque, data.readUInt16BE(0)).value;
  },
  deleteObject: (data, { objects, login }) => {
    const object = objects.find(data.readUInt8(2), data.readUInt16BE(0));
    require(login, object.type === objectType.opaque ? 'deleteOpaque' : 'deleteAsymmetric');
    objects.remove(object);
    return Buffer.alloc(0);
  },
};

function require(object: StoredObject, wanted: Capability): void {
  if (!has(object.capabilities, wanted)) throw new DeviceError('insufficientPermissions');
}

function signer(
  data: Buffer,
  objects: ObjectStore,
  login: StoredObject,
  wanted: Capability,
): StoredObject {
  const object = objects.find(objectType.asymmetricKey, data.readUInt16BE(0));
  for (const one of [login, object]) require(one, wanted);
  return object;
}

function keyOf({ key }: StoredObject): KeyObject {
  if (key === null) throw new DeviceError('invalidData');
  return key;
}

function generated(wanted: number): KeyObject {
  switch (wanted) {
    case algorithm.ed25519:
      return generateKeyPairSync('ed25519').privateKey;
    case algorithm.p256:
      return generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
    default:
      throw new DeviceError('invalidData');
  }
}

/** Id, label, domains, capabilities, algorithm. */
const headLength = 2 + 40 + 2 + 8 + 1;

function newObject(data: Buffer, type: number, objects: ObjectStore): NewObject {
  if (data.length < headLength) throw new DeviceError('wrongLength');
  const id = data.readUInt16BE(0);
  return {
    type,
    id: id === 0 ? objects.unusedId(type) : id,
    label: Buffer.from(data.subarray(2, 42)),
    domains: data.readUInt16BE(42),
    capabilities: Buffer.from(data.subarray(44, 52)),
    algorithm: data.readUInt8(52),
    delegated: Buffer.alloc(8),
    origin: 1,
    size: 0,
    value: Buffer.alloc(0),
    key: null,
  };
}

const idOf = ({ id }: StoredObject): Buffer => u16(id);

/** A filter is a byte that says what of an object, and the value. */
const filters: readonly {
  readonly length: number;
  readonly fits: (object: StoredObject, value: Buffer) => boolean;
}[] = [
  { length: 2, fits: ({ id }, value) => id === value.readUInt16BE(0) },
  { length: 1, fits: ({ type }, value) => type === value.readUInt8(0) },
  { length: 2, fits: ({ domains }, value) => (domains & value.readUInt16BE(0)) !== 0 },
  {
    length: 8,
    fits: ({ capabilities }, value) =>
      (capabilities.readBigUInt64BE(0) & value.readBigUInt64BE(0)) !== 0n,
  },
  { length: 1, fits: (object, value) => object.algorithm === value.readUInt8(0) },
  { length: 40, fits: ({ label }, value) => label.equals(value) },
];

function filtered(objects: readonly StoredObject[], data: Buffer): readonly StoredObject[] {
  let left = objects;
  for (let at = 0; at < data.length;) {
    const filter = filters[data.readUInt8(at) - 1];
    if (filter === undefined) throw new DeviceError('invalidData');
    const value = data.subarray(at + 1, at + 1 + filter.length);
    if (value.length < filter.length) throw new DeviceError('wrongLength');
    left = left.filter((object) => filter.fits(object, value));
    at += 1 + filter.length;
  }
  return left;
}
