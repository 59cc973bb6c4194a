import type { KeyringSettings } from './config/settings.ts';
import { AgentError } from './errors.ts';
import type { Keyring } from './keyring/keyring.ts';
import { openKeyring } from './keyring/open-keyring.ts';
import type { Protection } from './keyring/signing-backend.ts';
import { Sidecar } from './state/sidecar.ts';
import type { StateStore } from './state/state-store.ts';
import { algorithms } from './vault/algorithm.ts';
import { FileKeystore } from './vault/file/keystore.ts';
import type { Vault } from './vault/vault.ts';
import type { World } from './world.ts';

const strength: Readonly<Record<Protection, number>> = {
  software: 0,
  'hardware-wrapped': 1,
  hardware: 2,
};

export type TokenKeyringSettings = Extract<KeyringSettings, { backend: 'pkcs11' }>;

/** A token with one keyring's keys, and the sidecar with their records; neither is held against the other. */
export interface TokenKeyringParts {
  readonly vault: Vault;
  readonly store: Sidecar;
}

/**
 * Opens keyrings as they are configured. The opener that it answers with is used for all of them: keyrings on
 * the same PKCS#11 module share it. `credentialsDir` is where systemd puts a service's credentials, or null.
 */
export function configuredKeyrings(
  world: World,
  credentialsDir: string | null,
): (settings: KeyringSettings) => Promise<Keyring> {
  const openToken = tokenKeyrings(world, credentialsDir);
  return async (settings) => {
    const parts =
      settings.backend === 'file'
        ? await openFile(settings.path, world)
        : await openToken(settings);
    try {
      refuseWeaker(parts.vault, settings);
      return await openKeyring({ name: settings.name, ...parts, world });
    } catch (failure) {
      await parts.vault.close();
      throw failure;
    }
  };
}

async function openFile(path: string, world: World): Promise<{ vault: Vault; store: StateStore }> {
  const keystore = new FileKeystore(path, world);
  await keystore.migrateLegacySeed();
  return { vault: keystore, store: keystore };
}

function refuseWeaker(vault: Vault, { name, require }: KeyringSettings): void {
  if (strength[vault.protection] >= strength[require]) return;
  throw new AgentError(
    'not_supported',
    `keyring ${name}: its keys would have protection ${vault.protection}, and the configuration ` +
      `requires ${require}`,
  );
}

/** Token and sidecar as they are configured; see `configuredKeyrings`. */
export function tokenKeyrings(
  world: World,
  credentialsDir: string | null,
): (settings: TokenKeyringSettings) => Promise<TokenKeyringParts> {
  const openVault = pkcs11Vaults(world, credentialsDir);
  return async (settings) => {
    const { name: keyring, algorithm, sidecarPath } = settings;
    const vault = await openVault(settings);
    return { vault, store: new Sidecar(sidecarPath, { keyring, algorithm }, world.files) };
  };
}

/** The bindings are loaded with the first keyring that needs them. */
function pkcs11Vaults(
  world: World,
  credentialsDir: string | null,
): (settings: TokenKeyringSettings) => Promise<Vault> {
  const load = async () => {
    const [{ Pkcs11Modules }, { openPkcs11Vault }, { readPin }] = await Promise.all([
      import('./vault/pkcs11/module.ts'),
      import('./vault/pkcs11/pkcs11-vault.ts'),
      import('./vault/pkcs11/pin.ts'),
    ]);
    return { modules: new Pkcs11Modules(), openPkcs11Vault, readPin };
  };
  let loading: ReturnType<typeof load> | null = null;
  return async ({ name, uri, algorithm, sessions }) => {
    loading ??= load();
    const { modules, openPkcs11Vault, readPin } = await loading;
    const pin = readPin({
      pinSource: uri.pinSource,
      keyring: name,
      credentialsDirectory: credentialsDir,
    });
    if (pin === null) {
      throw new AgentError(
        'locked',
        `keyring ${name} has no PIN: add pin-source=file:PATH to its uri, or give the service a systemd ` +
          `credential named ${name}.pin`,
      );
    }
    try {
      return await openPkcs11Vault({
        uri,
        keyring: name,
        algorithm: algorithms[algorithm],
        sessions,
        pin,
        modules,
        world,
      });
    } finally {
      pin.fill(0);
    }
  };
}
