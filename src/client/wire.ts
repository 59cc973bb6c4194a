import type { ParamsOf, ResultOf } from '../api/method-types.ts';
import type { MethodName } from '../api/methods.ts';
import { decodeBase64 } from '../base/base64.ts';
import type { CallOptions, KeyringCallOptions } from './call-options.ts';
import { ConnectionError } from './connection-error.ts';
import type { Transport } from './transport.ts';

/** The methods that are about one keyring. */
type KeyringMethodName = {
  [Name in MethodName]: 'keyring' extends keyof ParamsOf<Name> ? Name : never;
}[MethodName];

/** Calls with the params and results of the catalogue. The agent's records are taken at its word; bytes are checked. */
export class Wire {
  readonly transport: Transport;
  readonly #keyring: string | undefined;

  /** `keyring`: of calls that name none. */
  constructor(transport: Transport, keyring: string | undefined) {
    this.transport = transport;
    this.#keyring = keyring;
  }

  async ask<Name extends MethodName>(
    method: Name,
    params: ParamsOf<Name>,
    options: CallOptions,
  ): Promise<ResultOf<Name>> {
    return recordOf(method, await this.transport.call(method, params, options));
  }

  /** JSON leaves out what is undefined, and so an option that was not given does not reach the wire. */
  askKeyring<Name extends KeyringMethodName>(
    method: Name,
    params: Omit<ParamsOf<Name>, 'keyring'>,
    options: KeyringCallOptions,
  ): Promise<ResultOf<Name>> {
    const named = { keyring: options.keyring ?? this.#keyring, ...params };
    return this.ask(method, named, options);
  }
}

/** The result of a method. Throws where it is no object. */
export function recordOf<Name extends MethodName>(method: Name, result: unknown): ResultOf<Name> {
  if (typeof result !== 'object' || result === null) throw unusable(method);
  return result;
}

/** The 64 bytes of a signature in an answer. */
export function signatureBytes(method: MethodName, text: unknown): Uint8Array {
  const bytes = typeof text === 'string' ? decodeBase64(text) : null;
  if (bytes?.length !== 64) throw unusable(method);
  return bytes;
}

export function unusable(method: MethodName): ConnectionError {
  return new ConnectionError(
    'protocol',
    `the agent's answer to ${method} is not of the right form`,
  );
}
