import type {
  BackendDescription,
  ImportedKey,
  KeyDetails,
  PreparedKey,
  PruneOptions,
  Revocation,
  Rotation,
  Signature,
  SignatureBatch,
  ValidKey,
  Verification,
} from '../api/signing-backend.ts';
import { encodeBase64 } from '../base/base64.ts';
import type { KeyCallOptions, KeyringCallOptions } from './call-options.ts';
import { secretFrom, type PinSource } from './secret.ts';
import { signatureBytes, unusable, type Wire } from './wire.ts';

/**
 * A keyring and its keys. Every function also rejects with `not_found` where there is no such keyring, `locked` where
 * it waits for its PIN, and `backend_unavailable` while its token or file cannot be used.
 */
export interface KeyringCalls {
  /**
   * What the keyring is, by what its token says of itself.
   *
   * @throws {AgentError} `not_found`, `locked`, `backend_unavailable`.
   */
  describeBackend(options?: KeyringCallOptions): Promise<BackendDescription>;
  /**
   * Key id of the active key.
   *
   * @throws {AgentError} `not_found`, `locked`, `backend_unavailable`.
   */
  activeKeyId(options?: KeyringCallOptions): Promise<string>;
  /**
   * The raw public key, base64url; null where the kid is unknown, revoked, or its grace has expired.
   *
   * @throws {AgentError} `invalid_params` for what is no kid; `not_found`, `locked`, `backend_unavailable`.
   */
  publicKeyB64(kid: string, options?: KeyringCallOptions): Promise<string | null>;
  /**
   * Active first, then grace by descending `valid_until`, then, where asked for, the prepared key.
   *
   * @throws {AgentError} `not_found`, `locked`, `backend_unavailable`.
   */
  listValidPubkeys(
    options?: KeyringCallOptions & { readonly includePrepared?: boolean | undefined },
  ): Promise<readonly ValidKey[]>;
  /**
   * 64 signature bytes by `kid`, or by the active key. Needs purpose `raw`, and for a message that is something of
   * another purpose that one too.
   *
   * @throws {AgentError} `forbidden` with `details.purposes`, those that there are; `unknown_kid` unless that key is
   * active or in grace; `too_large` with `details.limit`;
   * `not_supported` for a message that this key cannot sign; `rate_limited` beyond what the API key may;
   * `audit_unavailable`; `not_found`, `locked`, `backend_unavailable`.
   */
  sign(message: Uint8Array, options?: KeyCallOptions): Promise<Signature>;
  /**
   * Signs 1 to 256 messages, all by one key, or none is answered.
   *
   * @throws {AgentError} As `sign`; `invalid_params` for no message, or more than 256.
   */
  signBatch(messages: readonly Uint8Array[], options?: KeyCallOptions): Promise<SignatureBatch>;
  /**
   * Strict (SECURITY.md, "Signatures"), against the currently valid keys, or against `kid` alone. A signature that does not
   * verify is an answer and not an error.
   *
   * @throws {AgentError} `not_found`, `locked`, `backend_unavailable`; `too_large` for the frame.
   */
  verify(
    message: Uint8Array,
    signature: Uint8Array,
    options?: KeyCallOptions,
  ): Promise<Verification>;
  /**
   * Every key, whatever its state.
   *
   * @throws {AgentError} `not_found`, `locked`, `backend_unavailable`.
   */
  listKeys(options?: KeyringCallOptions): Promise<readonly KeyDetails[]>;
  /**
   * What the device itself says of a key, signed by it over `nonce` (8 to 32 bytes): a document that
   * `agentctl verify-attestation` checks.
   *
   * @throws {AgentError} `not_supported` where the device attests nothing; `unknown_kid`, `invalid_params`;
   * `not_found`, `locked`, `backend_unavailable`.
   */
  attest(
    kid: string,
    nonce: Uint8Array,
    options?: KeyringCallOptions,
  ): Promise<Readonly<Record<string, unknown>>>;
  /**
   * The prepared key, or a new one, becomes active; the previous one stays valid for `graceSeconds`, whole, 0 or more.
   *
   * @throws {AgentError} `conflict` where somebody else kept changing the keys: try again; `invalid_params`,
   * `audit_unavailable`; `not_found`, `locked`, `backend_unavailable`.
   */
  rotate(graceSeconds: number, options?: KeyringCallOptions): Promise<Rotation>;
  /**
   * A key that is published and not yet used.
   *
   * @throws {AgentError} `already_exists` while another one waits; `conflict`, `invalid_params`, `audit_unavailable`;
   * `not_found`, `locked`, `backend_unavailable`.
   */
  prepare(
    options?: KeyringCallOptions & { readonly activateAfterSeconds?: number | undefined },
  ): Promise<PreparedKey>;
  /**
   * Takes over a key that another program made in the same device (a TPM), from what is in its key file. It is
   * prepared, as by `prepare`.
   *
   * @throws {AgentError} `already_exists` while another key is prepared, or where the keyring has or had this one;
   * `not_supported` where the keyring takes none, or the device protects this one less than its own; `invalid_params`
   * for what is no such key file, a key of another device, or a wrong password; `conflict`, `audit_unavailable`;
   * `not_found`, `locked`, `backend_unavailable`.
   */
  importKey(
    keyFile: string,
    options?: KeyringCallOptions & {
      readonly password?: PinSource | undefined;
      readonly activateAfterSeconds?: number | undefined;
    },
  ): Promise<ImportedKey>;
  /**
   * The key is valid nowhere from now on; an active one is replaced first, with no grace.
   *
   * @throws {AgentError} `unknown_kid` where there is none, or it is revoked already; `conflict`, `invalid_params`,
   * `audit_unavailable`; `not_found`, `locked`, `backend_unavailable`.
   */
  revoke(
    kid: string,
    options?: KeyringCallOptions & { readonly reason?: string | undefined },
  ): Promise<Revocation>;
  /**
   * Removes the keys whose grace has ended, with `leftOver` those that are left over too; answers how many.
   *
   * @throws {AgentError} `conflict`, `audit_unavailable`; `not_found`, `locked`, `backend_unavailable`.
   */
  pruneExpiredGrace(options?: KeyringCallOptions & PruneOptions): Promise<number>;
  /**
   * Opens a keyring that waits for its PIN. `again`: also with a PIN that the token has refused before. A lost
   * connection never sends it twice: tokens count wrong PINs.
   *
   * @throws {AgentError} `locked` where the PIN is wrong or was refused before; `not_supported` for a keyring without
   * a PIN; `invalid_params` for what can be no PIN; `audit_unavailable`, `not_found`, `backend_unavailable`.
   */
  unlock(
    pin: PinSource,
    options?: KeyringCallOptions & { readonly again?: boolean | undefined },
  ): Promise<void>;
  /**
   * Closes a keyring and forgets its PIN.
   *
   * @throws {AgentError} `not_supported` for a keyring without a PIN; `audit_unavailable`, `not_found`.
   */
  lock(options?: KeyringCallOptions): Promise<void>;
}

export function keyringCalls(wire: Wire): KeyringCalls {
  return {
    describeBackend: (options = {}) => wire.askKeyring('describe_backend', {}, options),
    activeKeyId: async (options = {}) => (await wire.askKeyring('active_key_id', {}, options)).kid,
    publicKeyB64: async (kid, options = {}) =>
      (await wire.askKeyring('public_key_b64', { kid }, options)).public_key_b64,
    listValidPubkeys: async (options = {}) => {
      const params = { include_prepared: options.includePrepared };
      return (await wire.askKeyring('list_valid_pubkeys', params, options)).keys;
    },
    sign: async (message, options = {}) => {
      const params = { kid: options.kid, message_b64: encodeBase64(message) };
      const { kid, signature_b64 } = await wire.askKeyring('sign', params, options);
      return { kid, signature: signatureBytes('sign', signature_b64) };
    },
    signBatch: async (messages, options = {}) => {
      const params = { kid: options.kid, messages_b64: messages.map(encodeBase64) };
      const { kid, signatures_b64 } = await wire.askKeyring('sign_batch', params, options);
      if (!Array.isArray(signatures_b64) || signatures_b64.length !== messages.length) {
        throw unusable('sign_batch');
      }
      return { kid, signatures: signatures_b64.map((one) => signatureBytes('sign_batch', one)) };
    },
    verify: (message, signature, options = {}) => {
      const params = {
        kid: options.kid,
        message_b64: encodeBase64(message),
        signature_b64: encodeBase64(signature),
      };
      return wire.askKeyring('verify', params, options);
    },
    listKeys: async (options = {}) => (await wire.askKeyring('list_keys', {}, options)).keys,
    attest: (kid, nonce, options = {}) =>
      wire.askKeyring('attest', { kid, nonce_b64: encodeBase64(nonce) }, options),
    rotate: (graceSeconds, options = {}) =>
      wire.askKeyring('rotate', { grace_seconds: graceSeconds }, options),
    prepare: (options = {}) => {
      const params = { activate_after_seconds: options.activateAfterSeconds };
      return wire.askKeyring('prepare', params, options);
    },
    importKey: async (keyFile, options = {}) => {
      const { password, activateAfterSeconds } = options;
      const params = {
        key_file: keyFile,
        password: password === undefined ? undefined : await secretFrom(password),
        activate_after_seconds: activateAfterSeconds,
      };
      return wire.askKeyring('import_key', params, options);
    },
    revoke: (kid, options = {}) =>
      wire.askKeyring('revoke', { kid, reason: options.reason }, options),
    pruneExpiredGrace: async (options = {}) =>
      (await wire.askKeyring('prune_expired_grace', { left_over: options.leftOver }, options))
        .pruned,
    unlock: async (source, options = {}) => {
      const params = { pin: await secretFrom(source), again: options.again };
      await wire.askKeyring('unlock', params, options);
    },
    lock: async (options = {}) => {
      await wire.askKeyring('lock', {}, options);
    },
  };
}
