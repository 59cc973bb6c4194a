import type { ErrorDetails, ErrorKind } from '../../base/errors.ts';
import { AgentError } from '../../base/errors.ts';
import type { AlgorithmName, BackendName, Protection } from '../../api/signing-backend.ts';
import type { HostedFailure } from '../hosted.ts';
import type { PinRefusal } from '../pin-gate.ts';
import type { IdForm } from '../key-names.ts';
import type { VaultKey, VaultObject } from '../vault.ts';
import { frameKinds, newFrame, payloadStart } from './frames.ts';

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

/** What the host says unasked. */
export type Note =
  /** The process is up, and waits for the first call. */
  | { readonly note: 'started' }
  /** Before anything is made, another process should take this one's place; see TokenVault. */
  | { readonly note: 'worn'; readonly reason: string }
  | { readonly note: 'protection'; readonly vault: VaultNumber; readonly protection: Protection }
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

/** `u8 vault | u8 length | object id | u8 length | public key | message`. */
export function signFrame(
  id: number,
  vault: VaultNumber,
  key: VaultKey,
  message: Uint8Array,
): Buffer {
  const { objectId, publicKey } = key;
  const idLength = objectId.length / 2;
  const frame = newFrame(id, frameKinds.sign, 3 + idLength + publicKey.length + message.length);
  let at = payloadStart;
  frame[at++] = vault;
  frame[at++] = idLength;
  frame.write(objectId, at, 'hex');
  at += idLength;
  frame[at++] = publicKey.length;
  frame.set(publicKey, at);
  frame.set(message, at + publicKey.length);
  return frame;
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
