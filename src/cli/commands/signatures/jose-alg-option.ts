import { Option } from 'commander';

/** `--alg`, of whatever has a JWS header. */
export function joseAlgOption(): Option {
  const what = "the header's alg: EdDSA, Ed25519 (RFC 9864) or ES256 (default: the keyring's)";
  return new Option('--alg <alg>', what).choices(['EdDSA', 'Ed25519', 'ES256']);
}
