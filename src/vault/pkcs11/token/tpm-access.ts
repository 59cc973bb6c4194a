type Environment = Readonly<Record<string, string | undefined>>;

/** TCTIs (TCG TSS 2.0 TPM Command Transmission Interface) behind which a resource manager swaps objects. */
const managed = /^(tabrmd\b|device:\/dev\/tpmrm|libtss2-tcti-tabrmd)/;
/** Those that are a TPM itself. */
const direct = /^(device:\/dev\/tpm\d|swtpm\b|mssim\b|libtss2-tcti-(swtpm|mssim))/;

/**
 * What tpm2-pkcs11 will find, by its TCTI: `TPM2_PKCS11_TCTI`, else `TSS2_TCTI`, else its own search, which begins
 * with a resource manager. null where there is one, or where the variable says nothing that is known.
 */
export function resourceManagerWarning(environment: Environment): string | null {
  const variable = ['TPM2_PKCS11_TCTI', 'TSS2_TCTI'].find(
    (name) => (environment[name] ?? '') !== '',
  );
  const tcti = variable === undefined ? '' : (environment[variable] ?? '');
  if (variable === undefined || managed.test(tcti) || !direct.test(tcti)) return null;
  return (
    `${variable}=${tcti} has no resource manager: a process that is killed leaves its objects in the TPM, and after a ` +
    'few the TPM takes no more until it is reset. Use device:/dev/tpmrm0, or tabrmd with tpm2-abrmd running'
  );
}
