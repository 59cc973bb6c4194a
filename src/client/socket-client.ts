import type { Principal } from '../api/principal.ts';
import { decodeBase64, encodeBase64 } from '../base/base64.ts';
import type {
  BackendDescription,
  KeyDetails,
  PreparedKey,
  Revocation,
  Rotation,
  Signature,
  SignatureBatch,
  ValidKey,
  Verification,
} from '../api/signing-backend.ts';
import type {
  AgentClient,
  CallOptions,
  KeyCallOptions,
  KeyringCallOptions,
} from './agent-client.ts';
import type { ApiKeySource } from './api-key.ts';
import { ConnectionError } from './connection-error.ts';
import type { AgentStatus } from '../api/status.ts';
import type { Transport } from './transport.ts';

type Params = Readonly<Record<string, unknown>>;

/** The methods of the wire, typed. The agent's records are taken at its word; bytes are checked. */
export class SocketClient implements AgentClient {
  readonly #transport: Transport;
  readonly #keyring: string | undefined;

  constructor(transport: Transport, keyring: string | undefined) {
    this.#transport = transport;
    this.#keyring = keyring;
  }

  describeBackend(options: KeyringCallOptions = {}): Promise<BackendDescription> {
    return this.#ask<BackendDescription>('describe_backend', {}, options);
  }

  async activeKeyId(options: KeyringCallOptions = {}): Promise<string> {
    return (await this.#ask<{ kid: string }>('active_key_id', {}, options)).kid;
  }

  async publicKeyB64(kid: string, options: KeyringCallOptions = {}): Promise<string | null> {
    type Result = { public_key_b64: string | null };
    return (await this.#ask<Result>('public_key_b64', { kid }, options)).public_key_b64;
  }

  async listValidPubkeys(
    options: KeyringCallOptions & { readonly include_prepared?: boolean | undefined } = {},
  ): Promise<readonly ValidKey[]> {
    const { include_prepared } = options;
    type Result = { keys: readonly ValidKey[] };
    return (await this.#ask<Result>('list_valid_pubkeys', { include_prepared }, options)).keys;
  }

  async sign(message: Uint8Array, options: KeyCallOptions = {}): Promise<Signature> {
    const params = { kid: options.kid, message_b64: encodeBase64(message) };
    type Result = { kid: string; signature_b64: unknown };
    const { kid, signature_b64 } = await this.#ask<Result>('sign', params, options);
    return { kid, signature: signatureBytes(signature_b64) };
  }

  async signBatch(
    messages: readonly Uint8Array[],
    options: KeyCallOptions = {},
  ): Promise<SignatureBatch> {
    const params = { kid: options.kid, messages_b64: messages.map(encodeBase64) };
    type Result = { kid: string; signatures_b64: unknown };
    const { kid, signatures_b64 } = await this.#ask<Result>('sign_batch', params, options);
    if (!Array.isArray(signatures_b64) || signatures_b64.length !== messages.length) {
      throw unusable('sign_batch');
    }
    return { kid, signatures: signatures_b64.map(signatureBytes) };
  }

  rotate(graceSeconds: number, options: KeyringCallOptions = {}): Promise<Rotation> {
    return this.#ask<Rotation>('rotate', { grace_seconds: graceSeconds }, options);
  }

  async pruneExpiredGrace(options: KeyringCallOptions = {}): Promise<number> {
    return (await this.#ask<{ pruned: number }>('prune_expired_grace', {}, options)).pruned;
  }

  verify(
    message: Uint8Array,
    signature: Uint8Array,
    options: KeyCallOptions = {},
  ): Promise<Verification> {
    const params = {
      kid: options.kid,
      message_b64: encodeBase64(message),
      signature_b64: encodeBase64(signature),
    };
    return this.#ask<Verification>('verify', params, options);
  }

  prepare(
    options: KeyringCallOptions & { readonly activateAfterSeconds?: number | undefined } = {},
  ): Promise<PreparedKey> {
    const params = { activate_after_seconds: options.activateAfterSeconds };
    return this.#ask<PreparedKey>('prepare', params, options);
  }

  revoke(
    kid: string,
    options: KeyringCallOptions & { readonly reason?: string | undefined } = {},
  ): Promise<Revocation> {
    return this.#ask<Revocation>('revoke', { kid, reason: options.reason }, options);
  }

  async listKeys(options: KeyringCallOptions = {}): Promise<readonly KeyDetails[]> {
    return (await this.#ask<{ keys: readonly KeyDetails[] }>('list_keys', {}, options)).keys;
  }

  async ping(options: CallOptions = {}): Promise<void> {
    await this.call('ping', {}, options);
  }

  async whoami(options: CallOptions = {}): Promise<Principal> {
    const result = await this.call('whoami', {}, options);
    return (record('whoami', result) as { principal: Principal }).principal;
  }

  async authenticate(apiKey: ApiKeySource, options: CallOptions = {}): Promise<Principal> {
    const result = await this.#transport.authenticate(apiKey, options);
    return (record('authenticate', result) as { principal: Principal }).principal;
  }

  async status(options: CallOptions = {}): Promise<AgentStatus> {
    return record('status', await this.call('status', {}, options)) as AgentStatus;
  }

  call(method: string, params: Params = {}, options: CallOptions = {}): Promise<unknown> {
    return this.#transport.call(method, params, options);
  }

  close(): Promise<void> {
    return this.#transport.close();
  }

  /** JSON leaves out what is undefined, and so an option that was not given does not reach the wire. */
  async #ask<Result extends object>(
    method: string,
    params: Params,
    options: KeyringCallOptions,
  ): Promise<Result> {
    const keyring = options.keyring ?? this.#keyring;
    return record(method, await this.call(method, { keyring, ...params }, options)) as Result;
  }
}

function record(method: string, result: unknown): object {
  if (typeof result !== 'object' || result === null) throw unusable(method);
  return result;
}

function signatureBytes(text: unknown): Uint8Array {
  const bytes = typeof text === 'string' ? decodeBase64(text) : null;
  if (bytes?.length !== 64) throw unusable('sign');
  return bytes;
}

function unusable(method: string): ConnectionError {
  return new ConnectionError(
    'protocol',
    `the agent's answer to ${method} is not of the right form`,
  );
}
