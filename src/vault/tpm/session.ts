import {
  createCipheriv,
  createDecipheriv,
  createHash,
  createHmac,
  timingSafeEqual,
} from 'node:crypto';
import { u16, u32, u8 } from '../../formats/tpm/bytes.ts';
import type { CommandAuthorization, ResponseAuthorization } from '../../formats/tpm/command.ts';
import { SESSION } from '../../formats/tpm/constants.ts';
import { kdfa } from '../../formats/tpm/kdf.ts';
import { TpmForged } from './tpm-error.ts';

/** A command as its HMAC sees it (Part 1, 16.7). */
export interface CommandContent {
  readonly code: number;
  /** Of its handles, in their order. */
  readonly names: readonly Uint8Array[];
  readonly parameters: Buffer;
}

/** How a session takes part in one command. */
export interface SessionUse {
  /** The authorisation value of what the session speaks for; empty where there is none. */
  readonly authValue: Uint8Array;
  /** The first parameter of the command, of the response, is a TPM2B that nobody on the way may read. */
  readonly hides: { readonly command: boolean; readonly response: boolean };
}

/** Answers whether the response is the TPM's: its parameters, in the clear. Throws TpmForged. */
export type AcceptResponse = (parameters: Buffer, authorization: ResponseAuthorization) => Buffer;

const nonceLength = 16;
const ivLength = 16;

/**
 * A salted session (Part 1, 19.6 and 21): its key is known to this program and to the TPM that holds the private
 * part of the key it was salted to, so that its HMACs prove both, and its encryption is closed to whoever listens
 * between them. AES-128-CFB, SHA-256.
 */
export class TpmSession {
  readonly handle: number;
  readonly #key: Buffer;
  readonly #randomBytes: (size: number) => Buffer;
  readonly #isPolicy: boolean;
  /** TPM2_PolicyAuthValue was called: then the authorisation value is in the key of the HMAC. */
  provesAuthValue = false;
  #nonceTpm: Buffer;

  /** `key`: what TPM2_StartAuthSession agreed on. */
  constructor(options: {
    readonly handle: number;
    readonly key: Buffer;
    readonly nonceTpm: Buffer;
    readonly isPolicy: boolean;
    readonly randomBytes: (size: number) => Buffer;
  }) {
    this.handle = options.handle;
    this.#key = options.key;
    this.#nonceTpm = options.nonceTpm;
    this.#isPolicy = options.isPolicy;
    this.#randomBytes = options.randomBytes;
  }

  /** What goes with the command, the parameters as they are sent, and what to do with the response. */
  authorize(
    content: CommandContent,
    { authValue, hides }: SessionUse,
  ): {
    readonly authorization: CommandAuthorization;
    readonly parameters: Buffer;
    readonly accept: AcceptResponse;
  } {
    const nonce = this.#randomBytes(nonceLength);
    const value = Buffer.concat([this.#key, withoutTrailingZeros(authValue)]);
    const attributes =
      SESSION.CONTINUE |
      (hides.command ? SESSION.DECRYPT : 0) |
      (hides.response ? SESSION.ENCRYPT : 0);
    const parameters = hides.command
      ? this.#encrypt(value, nonce, content.parameters)
      : content.parameters;
    const macKey = this.#isPolicy && !this.provesAuthValue ? this.#key : value;
    const digest = createHash('sha256')
      .update(Buffer.concat([u32(content.code), ...content.names, parameters]))
      .digest();
    const hmac = createHmac('sha256', macKey)
      .update(Buffer.concat([digest, nonce, this.#nonceTpm, u8(attributes)]))
      .digest();
    return {
      authorization: { sessionHandle: this.handle, nonce, attributes, hmac },
      parameters,
      accept: (answered, authorization) => {
        this.#verify(macKey, content.code, nonce, answered, authorization);
        this.#nonceTpm = Buffer.from(authorization.nonce);
        const opened = hides.response ? this.#decrypt(value, nonce, answered) : answered;
        value.fill(0);
        return opened;
      },
    };
  }

  /** Of no use any more. */
  wipe(): void {
    this.#key.fill(0);
  }

  #verify(
    macKey: Buffer,
    code: number,
    nonce: Buffer,
    parameters: Buffer,
    { nonce: nonceTpm, attributes, hmac }: ResponseAuthorization,
  ): void {
    const digest = createHash('sha256')
      .update(Buffer.concat([u32(0), u32(code), parameters]))
      .digest();
    const right = createHmac('sha256', macKey)
      .update(Buffer.concat([digest, nonceTpm, nonce, u8(attributes)]))
      .digest();
    if (hmac.length === right.length && timingSafeEqual(hmac, right)) return;
    throw new TpmForged('the HMAC of its answer does not verify');
  }

  #encrypt(value: Buffer, nonceCaller: Buffer, parameters: Buffer): Buffer {
    const end = firstParameterEnd(parameters);
    const [key, iv] = cfbKey(value, nonceCaller, this.#nonceTpm);
    const cipher = createCipheriv('aes-128-cfb', key, iv);
    const hidden = Buffer.concat([cipher.update(parameters.subarray(2, end)), cipher.final()]);
    return Buffer.concat([u16(hidden.length), hidden, parameters.subarray(end)]);
  }

  #decrypt(value: Buffer, nonceCaller: Buffer, parameters: Buffer): Buffer {
    const end = firstParameterEnd(parameters);
    const [key, iv] = cfbKey(value, this.#nonceTpm, nonceCaller);
    const cipher = createDecipheriv('aes-128-cfb', key, iv);
    const opened = Buffer.concat([cipher.update(parameters.subarray(2, end)), cipher.final()]);
    return Buffer.concat([u16(opened.length), opened, parameters.subarray(end)]);
  }
}

function cfbKey(value: Buffer, newer: Buffer, older: Buffer): [Buffer, Buffer] {
  const derived = kdfa(value, 'CFB', newer, older, 8 * (16 + ivLength));
  return [derived.subarray(0, 16), derived.subarray(16)];
}

function firstParameterEnd(parameters: Buffer): number {
  const end = parameters.length < 2 ? 2 : 2 + parameters.readUInt16BE(0);
  if (end <= parameters.length) return end;
  throw new TpmForged('its answer has no first parameter');
}

/** As the TPM keeps an authorisation value (Part 1, 19.6.4.3). */
function withoutTrailingZeros(value: Uint8Array): Uint8Array {
  let end = value.length;
  while (end > 0 && value[end - 1] === 0) end -= 1;
  return value.subarray(0, end);
}
