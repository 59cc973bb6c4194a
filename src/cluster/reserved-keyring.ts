/**
 * Names that are the cluster CA's in a token (its label is `signing-agent/cluster-ca`), so that no keyring can have
 * it for one of its keys.
 */
export const reservedKeyring = 'cluster-ca';
