import { AgentError } from '../../base/errors.ts';
import type { Algorithm } from '../../algorithms/algorithm.ts';
import { CKR } from './cryptoki.ts';
import { isReturnValue, translate } from './errors.ts';
import type { KnownPins } from './known-pins.ts';
import type { Shield } from '../hosted.ts';
import { isLoggedIn, openLoggedInSession, TokenLogin } from './login.ts';
import type { Pkcs11Module, Pkcs11Modules } from './module.ts';
import type { ModuleWorld } from './module-log.ts';
import { resolveModulePath } from './module-path.ts';
import { TokenVault } from './token-vault.ts';
import { SessionPool } from './sessions.ts';
import { describeToken, findToken, type FoundToken } from './token.ts';
import { keyLabel, type Pkcs11Uri } from './uri.ts';

export interface Pkcs11VaultOptions {
  readonly uri: Pkcs11Uri;
  /** The keys' label is `signing-agent/<keyring>`, unless the URI's `object` names another. */
  readonly keyring: string;
  readonly algorithm: Algorithm;
  /** Signatures at a time, 1 or more; the session that holds the login comes on top. */
  readonly sessions: number;
  /** UTF-8. Wiped before this settles, whatever the outcome. */
  readonly pin: Buffer;
  readonly modules: Pkcs11Modules;
  readonly world: ModuleWorld;
  /** Around each login; see TokenLogin. */
  readonly shield?: Shield;
  /** Of this process; without it whoever comes second to a token may give any PIN. */
  readonly knownPins?: KnownPins;
}

/**
 * Opens a keyring's keys in a PKCS#11 token: loads the module, finds the token by the URI's attributes, logs in
 * once. The URI's `id` is refused: a keyring makes its keys, several over time, and each has an id of its own.
 *
 * Rejects with `invalid_params` (URI), `backend_unavailable` (module or token), `locked` (PIN),
 * `not_supported` (the token does not have the algorithm).
 */
export async function openPkcs11Vault(options: Pkcs11VaultOptions): Promise<TokenVault> {
  const { uri, algorithm, world } = options;
  try {
    if (uri.id !== null) {
      throw new AgentError(
        'invalid_params',
        'PKCS#11 URI: "id" names one key, and a keyring has several over time; leave it out, or use ' +
          '"object" to give the keys of this keyring a label of their own',
      );
    }
    const module = options.modules.use(resolveModulePath(uri));
    try {
      const found = findToken(module, uri);
      const mechanismFlags = [
        flagsOfMechanism(module, found, algorithm, algorithm.pkcs11.generate),
        flagsOfMechanism(module, found, algorithm, algorithm.pkcs11.sign),
      ];
      const login = logInTo(found, options);
      const label = keyLabel(options.keyring, uri);
      const sessions = new SessionPool(
        () => openLoggedInSession(found),
        options.sessions,
        world.log,
      );
      const vault = new TokenVault({
        module,
        login,
        sessions,
        algorithm,
        mechanismFlags,
        label,
        world,
      });
      await inspectOrClose(vault, sessions, login);
      const { token } = found;
      world.log.info(
        { keyring: options.keyring, token: token.label, serial: token.serialNumber, label },
        'token opened',
      );
      return vault;
    } catch (failure) {
      module.release();
      throw failure;
    }
  } finally {
    options.pin.fill(0);
  }
}

function logInTo(
  found: FoundToken,
  { pin, shield = (work) => work(), knownPins }: Pkcs11VaultOptions,
): TokenLogin {
  const { serialNumber } = found.token;
  try {
    if (knownPins?.mayBe(serialNumber, pin) === false && isLoggedIn(found)) {
      throw new AgentError(
        'locked',
        `${describeToken(found.token)} is open with another PIN; this one was not tried`,
      );
    }
    const login = new TokenLogin(found, pin, shield);
    if (login.pinUsed) knownPins?.remember(serialNumber, pin);
    return login;
  } catch (thrown) {
    throw translate(thrown, 'open a session');
  }
}

async function inspectOrClose(
  vault: TokenVault,
  sessions: SessionPool,
  login: TokenLogin,
): Promise<void> {
  try {
    await vault.inspect();
  } catch (failure) {
    await sessions.close();
    login.close();
    throw failure;
  }
}

/** CK_MECHANISM_INFO flags. `not_supported` where the token does not have the mechanism. */
function flagsOfMechanism(
  module: Pkcs11Module,
  found: FoundToken,
  algorithm: Algorithm,
  mechanism: number,
): number {
  try {
    return module.lib.C_GetMechanismInfo(found.slot.handle, mechanism).flags;
  } catch (thrown) {
    if (!isReturnValue(thrown, CKR.MECHANISM_INVALID))
      throw translate(thrown, 'list its mechanisms');
    throw new AgentError(
      'not_supported',
      `${describeToken(found.token)} has no ${algorithm.name}: mechanism 0x${mechanism.toString(16)} is not in it`,
      { cause: thrown },
    );
  }
}
