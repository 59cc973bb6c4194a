/** Numbers of the YubiHSM 2's own protocol, as its public command reference names them. */

export const command = {
  echo: 0x01,
  createSession: 0x03,
  authenticateSession: 0x04,
  sessionMessage: 0x05,
  deviceInfo: 0x06,
  closeSession: 0x40,
  storageInfo: 0x41,
  putOpaque: 0x42,
  getOpaque: 0x43,
  putAsymmetricKey: 0x45,
  generateAsymmetricKey: 0x46,
  listObjects: 0x48,
  objectInfo: 0x4e,
  pseudoRandom: 0x51,
  publicKey: 0x54,
  signEcdsa: 0x56,
  deleteObject: 0x58,
  signEddsa: 0x6a,
  blink: 0x6b,
} as const;
export type CommandName = keyof typeof command;

/** Set in the first byte of each answer that is no error. */
export const answered = 0x80;
/** The first byte of an answer that is an error. */
const failed = 0x7f;

const errorCodes = {
  invalidCommand: 0x01,
  invalidData: 0x02,
  invalidSession: 0x03,
  authenticationFailed: 0x04,
  sessionsFull: 0x05,
  sessionFailed: 0x06,
  storageFailed: 0x07,
  wrongLength: 0x08,
  insufficientPermissions: 0x09,
  objectNotFound: 0x0b,
  commandUnexecuted: 0x0f,
  objectExists: 0x11,
} as const;
type DeviceErrorName = keyof typeof errorCodes;

/** What the device answers in place of a result. */
export class DeviceError extends Error {
  readonly code: number;

  constructor(name: DeviceErrorName) {
    super(name);
    this.code = errorCodes[name];
  }
}

export const objectType = { opaque: 1, authenticationKey: 2, asymmetricKey: 3 } as const;
export const algorithm = {
  p256: 12,
  opaqueData: 30,
  ecdsaSha256: 43,
  authenticationKey: 38,
  ed25519: 46,
} as const;

/** Bits of the 8 capability bytes. */
const capability = {
  getOpaque: 0x00,
  putOpaque: 0x01,
  putAsymmetric: 0x03,
  generateAsymmetric: 0x04,
  signEcdsa: 0x07,
  signEddsa: 0x08,
  deleteOpaque: 0x27,
  deleteAsymmetric: 0x29,
} as const;
export type Capability = keyof typeof capability;

export function has(capabilities: Buffer, wanted: Capability): boolean {
  return ((capabilities.readBigUInt64BE(0) >> BigInt(capability[wanted])) & 1n) === 1n;
}

/** A byte of command or answer, two of length, and the rest. */
export function frame(first: number, body: Buffer): Buffer {
  const head = Buffer.alloc(3);
  head[0] = first;
  head.writeUInt16BE(body.length, 1);
  return Buffer.concat([head, body]);
}

export function errorFrame(error: DeviceError): Buffer {
  return frame(failed, Buffer.from([error.code]));
}

export function u16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16BE(value);
  return bytes;
}
