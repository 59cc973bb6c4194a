import { decodeBase64 } from '../../../base/base64.ts';
import { AgentError } from '../../../base/errors.ts';
import { kidOf } from '../../../algorithms/kid.ts';
import type { AlgorithmName, BackendDescription, ValidKey } from '../../../api/signing-backend.ts';
import { algorithmNames } from '../../../algorithms/algorithm-names.ts';
import { CommandError } from '../../shell/failure.ts';
import { ask } from '../../shell/session.ts';
import type { GlobalOptions } from '../../shell/terminal.ts';

/** A key that is valid now, or prepared, with its raw public key. */
export interface KeyringKey {
  readonly kid: string;
  readonly status: ValidKey['status'];
  readonly algorithm: AlgorithmName;
  /** Ed25519: 32 bytes. ES256: 65 bytes, 04 first. */
  readonly bytes: Buffer;
}

/** The valid keys of the keyring, the active one first; with `prepared`, the key that waits as well. */
export async function validKeys(
  globals: GlobalOptions,
  { prepared = false }: { readonly prepared?: boolean } = {},
): Promise<readonly KeyringKey[]> {
  const { keyring } = globals;
  const { algorithm } = await ask<BackendDescription>(globals, 'describe_backend', { keyring });
  const { keys } = await ask<{ keys: readonly ValidKey[] }>(globals, 'list_valid_pubkeys', {
    keyring,
    ...(prepared ? { include_prepared: true } : {}),
  });
  return keys.map((key) => keyringKey(key, algorithm));
}

export function unknownKid(kid: string, { keyring = 'default' }: GlobalOptions): AgentError {
  return new AgentError('unknown_kid', `no valid key ${kid} in keyring ${keyring}`);
}

/** What is made of the key must be right, whatever agent answered: its kid is the hash of its bytes. */
function keyringKey(
  { kid, status, public_key_b64 }: ValidKey,
  algorithm: AlgorithmName,
): KeyringKey {
  const length = Object.hasOwn(algorithmNames, algorithm)
    ? algorithmNames[algorithm].publicKeyLength
    : null;
  if (length === null) {
    throw new CommandError('the keyring has an algorithm that this agentctl does not know');
  }
  const bytes = decodeBase64(public_key_b64);
  if (bytes?.length !== length || kidOf(bytes) !== kid) {
    throw new CommandError('what the agent answered is no public key of its keyring');
  }
  return { kid, status, algorithm, bytes };
}
