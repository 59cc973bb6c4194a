import type { PKCS11 } from 'pkcs11js';
import { algorithms, type Algorithm } from '../../../algorithms/algorithm.ts';
import { CKR } from './cryptoki.ts';
import type { DeviceIdentity } from './device.ts';
import { isReturnValue, translate } from './errors.ts';
import { quirksOf } from './quirks.ts';
import type { FoundToken } from './token.ts';

/** CK_MECHANISM_INFO flags; null where the token does not have the mechanism. */
export function flagsOfMechanism(
  lib: PKCS11,
  { slot }: Pick<FoundToken, 'slot'>,
  mechanism: number,
): number | null {
  try {
    return lib.C_GetMechanismInfo(slot.handle, mechanism).flags;
  } catch (thrown) {
    if (isReturnValue(thrown, CKR.MECHANISM_INVALID)) return null;
    throw translate(thrown, 'list its mechanisms');
  }
}

function has(lib: PKCS11, found: FoundToken, { pkcs11 }: Algorithm): boolean {
  return [pkcs11.generate, pkcs11.sign].every(
    (mechanism) => flagsOfMechanism(lib, found, mechanism) !== null,
  );
}

/** What to ask of a token that does not have the algorithm; completes "...: ". */
export function insteadOf(
  lib: PKCS11,
  found: FoundToken,
  device: DeviceIdentity,
  algorithm: Algorithm,
): string {
  const { withoutEd25519 } = quirksOf(device);
  if (algorithm.name === 'ed25519' && withoutEd25519 !== null) return withoutEd25519;
  const other = Object.values(algorithms).find(
    (each) => each.name !== algorithm.name && has(lib, found, each),
  );
  return other === undefined
    ? 'it makes and signs with no keys that this agent knows; take another token, or backend = "file"'
    : `it has ${other.name}: set algorithm = "${other.name}", or take another token`;
}
