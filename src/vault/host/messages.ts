import type { ErrorDetails, ErrorKind } from '../../base/errors.ts';
import { AgentError } from '../../base/errors.ts';
import type { AlgorithmName, BackendName, Protection } from '../../api/signing-backend.ts';
import type { HostedFailure, SignerFailure } from '../hosted.ts';
import type { PinRefusal } from '../pin-gate.ts';
import type { IdForm } from '../key-names.ts';
import type { VaultKey, VaultObject } from '../vault.ts';
import { signatureLength } from '../../algorithms/token-signatures.ts';
import { frameKinds, newFrame, payloadStart } from './frames.ts';
import { failureBytes, readFailure, writeFailure } from './signer-frames.ts';

/** What agent and vault host say to each other. */

/** A number that the agent gives to each keyring's token in a host; one byte. */
export type VaultNumber = number;

/** Everything but signatures, as JSON, which is easier to read and seldom. Bytes are base64url in it. */
export type HostCall =
  | {
      readonly op: 'open';
      readonly vault: VaultNumber;
      readonly keyring: string;
      readonly backend: BackendName;
      /** See HostedTarget. */
      readonly place: unknown;
      readonly algorithm: AlgorithmName;
      readonly sessions: number;
      /** For C_Initialize; null for none. */
      readonly libraryParameters: string | null;
    }
  /** Before a PIN is sent: loads what the kind loads, and looks for the device. */
  | {
      readonly op: 'prepare';
      readonly vault: VaultNumber;
      readonly backend: BackendName;
      readonly place: unknown;
      readonly libraryParameters: string | null;
    }
  /** Again, after the token has forgotten the login. */
  | { readonly op: 'login'; readonly vault: VaultNumber }
  | { readonly op: 'generate'; readonly vault: VaultNumber; readonly objectId: string }
  /** The password of the file is the secret that goes with it, empty where there is none. */
  | {
      readonly op: 'importKey';
      readonly vault: VaultNumber;
      readonly objectId: string;
      readonly file: string;
      readonly hasPassword: boolean;
    }
  /** The key that a process before this one made under that id. */
  | { readonly op: 'adopt'; readonly vault: VaultNumber; readonly objectId: string }
  | {
      readonly op: 'destroy';
      readonly vault: VaultNumber;
      readonly objectId: string;
      /** Nothing is removed where the token has another one there; null: not known. */
      readonly publicKey: string | null;
    }
  | { readonly op: 'list'; readonly vault: VaultNumber }
  | {
      readonly op: 'attest';
      readonly vault: VaultNumber;
      readonly key: WireKey;
      readonly nonce_b64: string;
    }
  | { readonly op: 'evidence'; readonly vault: VaultNumber; readonly key: WireKey }
  | { readonly op: 'readSeal'; readonly vault: VaultNumber }
  | {
      readonly op: 'writeSeal';
      readonly vault: VaultNumber;
      readonly seal: { readonly key: string; readonly counter: number };
    }
  /** Starts threads that sign, so many in all, and lends each of them a session; answered with Lent. */
  | { readonly op: 'lend'; readonly vault: VaultNumber; readonly threads: number }
  | { readonly op: 'close'; readonly vault: VaultNumber }
  | { readonly op: 'stop' };

export interface WireKey {
  readonly objectId: string;
  readonly publicKey: string;
}

export interface WireObject {
  readonly objectId: string;
  readonly publicKey: string | null;
  readonly hasPrivateKey: boolean;
}

export interface Opened {
  readonly protection: Protection;
  /** How ids of new keys are formed. */
  readonly ids: IdForm;
  /** Ids that no new key may have; see TokenVault. */
  readonly takenIds: readonly string[];
}

/** What a vault has lent to the threads that sign; nothing where `sessions` is empty. */
export interface Lent {
  /** Bytes of the longest message that they take. */
  readonly longest: number;
  /** A session a thread, in the order of their channels: a handle of PKCS#11 in hex, null for none. */
  readonly sessions: readonly (string | null)[];
}

/** What the host says unasked. */
export type Note =
  /** The process is up, and waits for the first call. */
  | { readonly note: 'started' }
  /** Before anything is made, another process should take this one's place; see TokenVault. */
  | { readonly note: 'worn'; readonly reason: string }
  | { readonly note: 'protection'; readonly vault: VaultNumber; readonly protection: Protection }
  /** In the place of one that a thread met a failure with; null: there is none. */
  | {
      readonly note: 'session';
      readonly vault: VaultNumber;
      readonly channel: number;
      readonly session: string | null;
    }
  | {
      readonly note: 'log';
      readonly level: 'info' | 'warn' | 'error';
      readonly fields: Readonly<Record<string, unknown>>;
      readonly message: string;
    };

/** A failure on its way to the agent. */
export interface Failure extends HostedFailure {
  readonly kind: ErrorKind;
  readonly message: string;
  readonly details: ErrorDetails;
}

/** A failure that came from the host. */
export class HostFailure extends AgentError {
  readonly fatal: boolean;
  readonly loginLost: boolean;
  readonly givenTwice: boolean;
  readonly full: boolean;
  readonly pinRefusal: PinRefusal | null;
  readonly pinInDoubt: boolean;

  constructor(failure: Failure) {
    const { kind, message, details, fatal, loginLost, givenTwice, full, pinRefusal } = failure;
    super(kind, message, { details });
    this.pinInDoubt = failure.pinInDoubt;
    this.fatal = fatal;
    this.loginLost = loginLost;
    this.givenTwice = givenTwice;
    this.full = full;
    this.pinRefusal = pinRefusal;
  }
}

/** `u16 length | JSON | secret`: the secret (a PIN) stays bytes and is wiped on both sides. */
export function callFrame(id: number, call: HostCall, secret: Uint8Array | null): Buffer {
  const json = Buffer.from(JSON.stringify(call), 'utf8');
  const frame = newFrame(id, frameKinds.call, 2 + json.length + (secret?.length ?? 0));
  frame.writeUInt16BE(json.length, payloadStart);
  frame.set(json, payloadStart + 2);
  if (secret !== null) frame.set(secret, payloadStart + 2 + json.length);
  return frame;
}

/** `secret` is a view of the frame. */
export function readCall(payload: Buffer): { readonly call: HostCall; readonly secret: Buffer } {
  const end = 2 + payload.readUInt16BE(0);
  return {
    call: JSON.parse(payload.toString('utf8', 2, end)) as HostCall,
    secret: payload.subarray(end),
  };
}

/** A signature that is asked for. */
export interface WireSignature {
  readonly vault: VaultNumber;
  readonly key: VaultKey;
  readonly message: Uint8Array;
}

/** A thread has met a failure with it. */
export interface MetFailure {
  /** Of the thread. */
  readonly channel: number;
  readonly failure: SignerFailure;
}

/** `u8 vault | u8 length | object id | u8 length | public key | message`. */
export function signFrame(id: number, signature: WireSignature): Buffer {
  const frame = newFrame(id, frameKinds.sign, bytesOfSign(signature));
  writeSign(frame, payloadStart, signature);
  return frame;
}

/** `u8 channel | u8 step | f64 value`, and what `signFrame` has. */
export function signAfterFrame(
  id: number,
  signature: WireSignature,
  { channel, failure }: MetFailure,
): Buffer {
  const start = 1 + failureBytes;
  const frame = newFrame(id, frameKinds.signAfter, start + bytesOfSign(signature));
  frame[payloadStart] = channel;
  writeFailure(frame, payloadStart + 1, failure);
  writeSign(frame, payloadStart + start, signature);
  return frame;
}

export function readSignAfter(payload: Buffer): MetFailure & { readonly signature: Buffer } {
  return {
    channel: payload[0] ?? 0,
    failure: readFailure(payload, 1),
    signature: payload.subarray(1 + failureBytes),
  };
}

function bytesOfSign({ key, message }: WireSignature): number {
  return 3 + key.objectId.length / 2 + key.publicKey.length + message.length;
}

function writeSign(frame: Buffer, start: number, signature: WireSignature): void {
  const { vault, message } = signature;
  const { objectId, publicKey } = signature.key;
  const idLength = objectId.length / 2;
  let at = start;
  frame[at++] = vault;
  frame[at++] = idLength;
  frame.write(objectId, at, 'hex');
  at += idLength;
  frame[at++] = publicKey.length;
  frame.set(publicKey, at);
  frame.set(message, at + publicKey.length);
}

/**
 * The signature, and the handle of the key where threads may sign with it from now on. `handle` is a copy.
 */
export function readSigned(payload: Buffer): {
  readonly signature: Buffer;
  readonly handle: Buffer | null;
} {
  if (payload.length === signatureLength) return { signature: payload, handle: null };
  return {
    signature: payload.subarray(0, signatureLength),
    handle: Buffer.from(payload.subarray(signatureLength)),
  };
}

export function signedPayload(signature: Uint8Array, handle: Buffer | null): Uint8Array {
  return handle === null ? signature : Buffer.concat([signature, handle]);
}

/** Views of the frame, but for the object id. */
export function readSign(payload: Buffer): {
  readonly vault: VaultNumber;
  readonly key: VaultKey;
  readonly message: Buffer;
} {
  const idEnd = 2 + (payload[1] ?? 0);
  const keyEnd = idEnd + 1 + (payload[idEnd] ?? 0);
  return {
    vault: payload[0] ?? 0,
    key: {
      objectId: payload.toString('hex', 2, idEnd),
      publicKey: payload.subarray(idEnd + 1, keyEnd),
    },
    message: payload.subarray(keyEnd),
  };
}

export function jsonPayload(value: unknown): Buffer {
  return Buffer.from(JSON.stringify(value ?? null), 'utf8');
}

export function wireKey({ objectId, publicKey }: VaultKey): WireKey {
  return { objectId, publicKey: Buffer.from(publicKey).toString('base64url') };
}

export function keyFromWire({ objectId, publicKey }: WireKey): VaultKey {
  return { objectId, publicKey: Buffer.from(publicKey, 'base64url') };
}

export function wireObject({ publicKey, ...object }: VaultObject): WireObject {
  return {
    ...object,
    publicKey: publicKey === null ? null : Buffer.from(publicKey).toString('base64url'),
  };
}

export function objectFromWire({ publicKey, ...object }: WireObject): VaultObject {
  return { ...object, publicKey: publicKey === null ? null : Buffer.from(publicKey, 'base64url') };
}
