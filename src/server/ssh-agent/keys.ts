import { purposesOn, type Grant } from '../../access/grant.ts';
import { isForSsh } from '../../access/purposes.ts';
import { AgentError } from '../../base/errors.ts';
import type { Keyring } from '../../keyring/keyring.ts';
import type { Services } from '../../request/services.ts';
import type { Identity } from './messages.ts';
import type { NamedKey } from './named-keys.ts';

/** A key that signs, by the names that the request path knows. */
export interface SigningKey {
  readonly keyring: string;
  readonly kid: string;
}

/** Those of the keyrings whose keys the caller may use over SSH at all. */
export function sshKeyrings(keyrings: readonly string[], grant: Grant): readonly string[] {
  return keyrings.filter((name) => isForSsh(purposesOn(grant, name, 'app')));
}

/**
 * The valid keys of those keyrings, in the order of the keyrings, each one's active key first. A keyring of which
 * nothing can be had at present is left out; `leftOut` is told why.
 */
export function validIdentities(
  keyrings: readonly string[],
  services: Pick<Services, 'keyring'>,
  leftOut: (keyring: string, reason: string) => void,
): readonly Identity[] {
  return keyrings.flatMap((name) => {
    try {
      return identitiesOf(name, services.keyring(name));
    } catch (failure) {
      if (!(failure instanceof AgentError)) throw failure;
      leftOut(name, failure.message);
      return [];
    }
  });
}

function identitiesOf(name: string, keyring: Keyring): readonly Identity[] {
  const { outage } = keyring.health;
  if (outage !== null) throw new AgentError(outage.kind, outage.message);
  const { algorithm } = keyring.description;
  return keyring.validKeys().map(({ kid, publicKey }) => ({
    algorithm,
    publicKey,
    comment: `${name}/${kid}`,
  }));
}

/**
 * The first of those keyrings where the key is valid; null where it is in none. What a keyring that is not
 * open has nobody knows, and another one may have the key: where none has, throws as that keyring does.
 */
export function signingKeyOf(
  key: NamedKey | null,
  keyrings: readonly string[],
  services: Pick<Services, 'keyring'>,
): SigningKey | null {
  if (key === null) return null;
  let outage: AgentError | null = null;
  for (const name of keyrings) {
    try {
      const keyring = services.keyring(name);
      if (keyring.description.algorithm !== key.algorithm) continue;
      if (keyring.isValid(key.kid, key.bytes)) return { keyring: name, kid: key.kid };
    } catch (failure) {
      if (!(failure instanceof AgentError)) throw failure;
      outage ??= failure;
    }
  }
  if (outage !== null) throw outage;
  return null;
}
