import { AgentError } from '../../../base/errors.ts';
import type { Algorithm } from '../../../algorithms/algorithm.ts';
import { translate } from './errors.ts';
import type { KnownPins } from './known-pins.ts';
import type { Shield } from '../../hosted.ts';
import { isLoggedIn, openLoggedInSession, TokenLogin } from './login.ts';
import type { Pkcs11Module, Pkcs11Modules } from './module.ts';
import type { ModuleWorld } from './module-log.ts';
import { resolveModulePath } from '../module-path.ts';
import { TokenVault } from './token-vault.ts';
import { SessionPool } from './sessions.ts';
import { CKF } from './cryptoki.ts';
import { describeToken, identify, tokenKey, type DeviceIdentity } from './device.ts';
import { refuseLongLabel } from '../../key-names.ts';
import { flagsOfMechanism, insteadOf } from './mechanisms.ts';
import { quirksOf, type Quirks } from './quirks.ts';
import { findToken, type FoundToken } from './token.ts';
import { keyLabel, type Pkcs11Uri } from '../uri.ts';

export interface Pkcs11VaultOptions {
  readonly uri: Pkcs11Uri;
  /** The keys' label is `signing-agent/<keyring>`, unless the URI's `object` names another. */
  readonly keyring: string;
  readonly algorithm: Algorithm;
  /** For C_Initialize, where the module wants them; null where not. */
  readonly libraryParameters?: string | null;
  /** Signatures at a time, 1 or more; the session that holds the login comes on top. */
  readonly sessions: number;
  /** UTF-8. Wiped before this settles, whatever the outcome. */
  readonly pin: Buffer;
  readonly modules: Pkcs11Modules;
  readonly world: ModuleWorld;
  /** What the module sees, for what is to be said about it. */
  readonly environment?: Readonly<Record<string, string | undefined>>;
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
    const { libraryParameters = null, environment = {} } = options;
    const module = options.modules.use(resolveModulePath(uri), libraryParameters);
    try {
      const found = findToken(module, uri);
      const device = identifyToken(module, found);
      const quirks = quirksOf(device);
      const label = keyLabel(options.keyring, uri);
      refuseLongLabel(label, quirks.longestLabel);
      const mechanismFlags = [algorithm.pkcs11.generate, algorithm.pkcs11.sign].map((mechanism) => {
        const flags = flagsOfMechanism(module.lib, found, mechanism);
        if (flags !== null) return quirks.hardwareFlagHolds ? flags : flags & ~CKF.HW;
        throw new AgentError(
          'not_supported',
          `${describeToken(device.token)} has no ${algorithm.name} (mechanism 0x${mechanism.toString(16)}): ` +
            insteadOf(module.lib, found, device, algorithm),
        );
      });
      const { token } = device;
      const warning = quirks.warning(environment);
      if (warning !== null) {
        world.log.warn(
          { keyring: options.keyring, device: describeToken(token), warning },
          'the token may be lost',
        );
      }
      const login = logInTo(found, device, quirks, options);
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
        quirks,
        world,
      });
      await inspectOrClose(vault, sessions, login);
      const { serial, manufacturer, model } = token;
      world.log.info(
        { keyring: options.keyring, token: token.label, serial, manufacturer, model, label },
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

function identifyToken(module: Pkcs11Module, { slot, token }: FoundToken): DeviceIdentity {
  try {
    return identify(module.lib, slot, token);
  } catch (thrown) {
    throw translate(thrown, 'say what it is');
  }
}

function logInTo(
  found: FoundToken,
  device: DeviceIdentity,
  quirks: Quirks,
  { pin, shield = (work) => work(), knownPins }: Pkcs11VaultOptions,
): TokenLogin {
  const key = tokenKey(device);
  try {
    if (knownPins?.mayBe(key, pin) === false && isLoggedIn(found)) {
      throw new AgentError(
        'locked',
        `${describeToken(device.token)} is open with another PIN; this one was not tried`,
      );
    }
    const login = new TokenLogin(found, pin, shield, quirks);
    if (login.pinUsed) knownPins?.remember(key, pin);
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
