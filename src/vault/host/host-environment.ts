/** What any library may need. */
const usualNames = ['HOME', 'LANG', 'LC_ALL', 'PATH', 'TZ', 'UV_THREADPOOL_SIZE'];

/** What modules read from the environment, by their manuals: names, and prefixes that end in an underscore. */
const variablesOf: Readonly<Record<string, readonly string[]>> = {
  SoftHSM: ['SOFTHSM2_'],
  // The TSS reads its own, and tabrmd's TCTI finds tpm2-abrmd by the bus.
  'tpm2-pkcs11': ['TPM2_PKCS11_', 'TSS2_', 'DBUS_SESSION_BUS_ADDRESS', 'DBUS_SYSTEM_BUS_ADDRESS'],
  'yubihsm-pkcs11': ['YUBIHSM_'],
  NSS: ['NSS_'],
  openCryptoki: ['OCK_', 'OPENCRYPTOKI_', 'PKCSLIB'],
  'p11-kit': ['P11_KIT_'],
  OpenSC: ['OPENSC_', 'PCSCLITE_'],
  NetHSM: ['P11NETHSM_'],
  Kryoptic: ['KRYOPTIC_'],
  'pkcs11-spy': ['PKCS11_', 'PKCS11SPY', 'PKCS11SPY_'],
};

/** Kill tests; see bin/failpoint.ts. */
const failpointName = 'SIGNING_AGENT_FAILPOINT';

/**
 * The environment of a vault host: only what a module needs, and `names` that the configuration adds, so that
 * nothing that was meant for the agent (credentials, NODE_OPTIONS, LD_PRELOAD) reaches vendor code unasked.
 * `threads`: how many calls into the module run at a time; an operator's own UV_THREADPOOL_SIZE goes before.
 */
export function hostEnvironment(
  environment: Readonly<Record<string, string | undefined>>,
  names: readonly string[],
  threads: number,
): Record<string, string> {
  const wanted = new Set([...usualNames, failpointName, ...names]);
  const kept: Record<string, string> = { UV_THREADPOOL_SIZE: String(threads) };
  for (const [name, value] of Object.entries(environment)) {
    if (value !== undefined && (wanted.has(name) || isOfModule(name))) kept[name] = value;
  }
  return kept;
}

function isOfModule(name: string): boolean {
  return Object.values(variablesOf).some((variables) =>
    variables.some((each) => (each.endsWith('_') ? name.startsWith(each) : name === each)),
  );
}
