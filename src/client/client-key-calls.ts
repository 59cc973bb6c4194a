import type { Actor, ClientKeyList, ClientKeyView } from '../api/client-keys.ts';
import { encodeBase64 } from '../base/base64.ts';
import type { CallOptions } from './call-options.ts';
import type { Wire } from './wire.ts';

/** For whom. A user by uid or login name, an API key by id; where not given, the caller. */
interface ForActor {
  readonly actor?: Actor | undefined;
}

/** Client keys: public keys that secrets are sealed for. Of others they are for an admin of the whole agent. */
export interface ClientKeyCalls {
  /**
   * The caller's own, and for an admin everybody's; the newest first. Of revoked ones the last thousand, where asked for.
   *
   * @throws {AgentError} `forbidden` for somebody else's; `not_found` where there is no such actor;
   * `backend_unavailable`.
   */
  clientkeyList(
    options?: CallOptions & ForActor & { readonly includeRevoked?: boolean | undefined },
  ): Promise<ClientKeyList>;
  /**
   * Also one that is revoked.
   *
   * @throws {AgentError} `not_found`, for somebody else's too; `backend_unavailable`.
   */
  clientkeyShow(id: string, options?: CallOptions): Promise<ClientKeyView>;
  /**
   * `publicKey`: X25519, 32 bytes (RFC 7748), or an age recipient (`age1…`). `label`: one line for people.
   *
   * @throws {AgentError} `already_exists` with `details.id`; `too_large` where the actor has as many as one may;
   * `forbidden` for somebody else; `not_found` where there is no such actor; `invalid_params`, `conflict`,
   * `audit_unavailable`, `backend_unavailable`.
   */
  clientkeyRegister(
    publicKey: Uint8Array | string,
    options?: CallOptions & ForActor & { readonly label?: string | undefined },
  ): Promise<ClientKeyView>;
  /**
   * Nothing is sealed for it from now on.
   *
   * @throws {AgentError} `not_found`, for one that is revoked already too; `conflict`, `audit_unavailable`,
   * `backend_unavailable`.
   */
  clientkeyRevoke(id: string, options?: CallOptions): Promise<ClientKeyView>;
}

export function clientKeyCalls(wire: Wire): ClientKeyCalls {
  return {
    clientkeyList: (options = {}) => {
      const { includeRevoked, actor } = options;
      return wire.ask('clientkey_list', { include_revoked: includeRevoked, actor }, options);
    },
    clientkeyShow: (id, options = {}) => wire.ask('clientkey_show', { id }, options),
    clientkeyRegister: (publicKey, options = {}) => {
      const { label, actor } = options;
      const text = typeof publicKey === 'string' ? publicKey : encodeBase64(publicKey);
      return wire.ask('clientkey_register', { public_key: text, label, actor }, options);
    },
    clientkeyRevoke: (id, options = {}) => wire.ask('clientkey_revoke', { id }, options),
  };
}
