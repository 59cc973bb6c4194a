import type { SignedJws, SignedMinisign, SignedSshsig, SshsigHashName } from '../api/formats.ts';
import type { JsonObject } from '../api/jwt.ts';
import { encodeBase64 } from '../base/base64.ts';
import type { KeyCallOptions } from './call-options.ts';
import type { Wire } from './wire.ts';

export interface SshsigOptions extends KeyCallOptions {
  /** What the signature is for, such as `file` or `git`. */
  readonly namespace: string;
  /** By which hash the digest was made. */
  readonly hashAlgorithm: SshsigHashName;
}

export interface MinisignOptions extends KeyCallOptions {
  /** One line of text, which the signature covers. */
  readonly trustedComment: string;
}

export interface JwsOptions extends KeyCallOptions {
  /** What stands in the header beside `alg` and `kid`; `alg` where it is not to be the keyring's. */
  readonly headers?: JsonObject | undefined;
}

/**
 * Signatures in the formats of other programs, made whole by the agent. Each needs a purpose of its own. Every function
 * rejects as `sign` does too.
 */
export interface FormatCalls {
  /**
   * An SSH signature (OpenSSH's PROTOCOL.sshsig) of the file with this digest. Needs purpose `sshsig`, of that
   * namespace or of all.
   *
   * @throws {AgentError} `invalid_params` for a digest of another length, or a namespace that is no line of text;
   * `forbidden` with `details.purposes`.
   */
  signSshsig(digest: Uint8Array, options: SshsigOptions): Promise<SignedSshsig>;
  /**
   * A minisign signature, prehashed, of the file with this BLAKE2b-512. Needs purpose `minisign`.
   *
   * @throws {AgentError} `not_supported` for a keyring without Ed25519 keys; `invalid_params`; `forbidden` with
   * `details.purposes`.
   */
  signMinisign(digest: Uint8Array, options: MinisignOptions): Promise<SignedMinisign>;
  /**
   * A compact JWS (RFC 7515) over these bytes. Needs purpose `jws`, and `jwt` too for a JSON object, which whoever
   * verifies tokens would take for claims.
   *
   * @throws {AgentError} `invalid_params` for a header that is not the key's; `forbidden` with `details.purposes`.
   */
  signJws(payload: Uint8Array, options?: JwsOptions): Promise<SignedJws>;
}

export function formatCalls(wire: Wire): FormatCalls {
  return {
    signSshsig: (digest, options) => {
      const { kid, namespace, hashAlgorithm: hash_algorithm } = options;
      const params = { kid, namespace, hash_algorithm, digest_b64: encodeBase64(digest) };
      return wire.askKeyring('sign_sshsig', params, options);
    },
    signMinisign: (digest, options) => {
      const { kid, trustedComment: trusted_comment } = options;
      const params = { kid, digest_b64: encodeBase64(digest), trusted_comment };
      return wire.askKeyring('sign_minisign', params, options);
    },
    signJws: (payload, options = {}) => {
      const { kid, headers } = options;
      const params = { kid, payload_b64: encodeBase64(payload), headers };
      return wire.askKeyring('sign_jws', params, options);
    },
  };
}
