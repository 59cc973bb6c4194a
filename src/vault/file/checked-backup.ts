import { sign as signMessage } from 'node:crypto';
import { algorithms } from '../../algorithms/algorithm.ts';
import { kidOf } from '../../algorithms/kid.ts';
import { decodeBase64 } from '../../base/base64.ts';
import { AgentError } from '../../base/errors.ts';
import type { World } from '../../base/world.ts';
import { describeProblem } from '../../files/document-fields.ts';
import { readKeystore, type ReadKeystore } from './read-keystore.ts';

/**
 * A keystore that an agent would start with: every id is the hash of its key, the revoked ones' too, and the active
 * key makes a signature that verifies. Throws `invalid_params` with the reason.
 */
export function checkedBackup(
  bytes: Uint8Array,
  { randomBytes }: Pick<World, 'randomBytes'>,
): ReadKeystore {
  try {
    const backup = readKeystore(bytes);
    const { document, privateKeys, publicKeys } = backup;
    for (const [kid, { public_key_b64 }] of Object.entries(document.revoked ?? {})) {
      const publicKey = decodeBase64(public_key_b64);
      if (publicKey === null || kidOf(publicKey) !== kid) {
        throw new Error(`the public key of the revoked key ${kid} is another one`);
      }
    }
    const [key, publicKey] = [privateKeys.get(document.active), publicKeys.get(document.active)];
    if (key === undefined || publicKey === undefined) throw new Error('it has no active key');
    const message = randomBytes(32);
    if (!algorithms.ed25519.verify(message, signMessage(null, message, key), publicKey)) {
      throw new Error(`a signature of its active key ${document.active} does not verify`);
    }
    return backup;
  } catch (failure) {
    const message = `the backup holds no keystore v1 that can be used: ${describeProblem(failure)}. Nothing was changed`;
    throw new AgentError('invalid_params', message, {
      details: { issues: [{ field: 'keystore_b64', message: describeProblem(failure) }] },
    });
  }
}
