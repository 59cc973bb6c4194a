/** What modules read from the environment, by their manuals; and what any library may need. */
const usualNames = ['HOME', 'LANG', 'LC_ALL', 'PATH', 'TZ', 'UV_THREADPOOL_SIZE'];
const usualPrefixes = ['SOFTHSM2_', 'TPM2_PKCS11_', 'TSS2_', 'YUBIHSM_', 'P11_KIT_', 'PKCS11_'];
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
    if (value === undefined) continue;
    if (wanted.has(name) || usualPrefixes.some((prefix) => name.startsWith(prefix))) {
      kept[name] = value;
    }
  }
  return kept;
}
