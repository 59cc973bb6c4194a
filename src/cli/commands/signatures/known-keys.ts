import { keyIdOf } from '../../../formats/minisign/key-id.ts';
import { publicKeyFrom } from './public-key.ts';
import type { GivenKey } from './given-key.ts';
import type { Invocation } from '../../shell/terminal.ts';
import { validKeys } from './valid-keys.ts';
import type { VerifyOptions } from './verify-outcome.ts';

/** The keys that a signature may be by. */
export interface KnownKeys {
  /** Those of a keyring with their minisign key ids. */
  readonly keys: readonly GivenKey[];
  /** Where they are from, for people. */
  readonly from: string;
  /** What another key is, for people. */
  readonly other: string;
}

/** The key of `--public-key`, else the valid keys of the keyring, or the one of them that `--kid` names. */
export async function knownKeys({
  terminal,
  globals,
  options,
}: Invocation<VerifyOptions>): Promise<KnownKeys> {
  if (options.publicKey !== undefined) {
    const key = await publicKeyFrom(options.publicKey, terminal);
    const from = 'the public key that was given';
    return { keys: [key], from, other: `not ${from}` };
  }
  const { kid } = options;
  const keys = (await validKeys(globals)).filter((key) => kid === undefined || key.kid === kid);
  const from = `keyring ${globals.keyring ?? 'default'}`;
  return {
    keys: keys.map((key) => ({ ...key, minisignKeyId: keyIdOf(key.bytes) })),
    from,
    other: kid === undefined ? `no valid key of ${from}` : `not ${kid} as a valid key of ${from}`,
  };
}
