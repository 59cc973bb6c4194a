import { isForSsh, purposesOf, type Purpose } from '../../access/purposes.ts';
import { AgentError } from '../../base/errors.ts';
import { isKeyOrItsCertificate } from '../../formats/ssh/certificate.ts';
import { readLoginRequest } from '../../formats/ssh/login-request.ts';
import { fingerprint } from '../../formats/ssh/public-key.ts';
import type { SessionBinds } from './session-binds.ts';

/** What data that is to be signed is for: something of SSH's own, or else bytes as they are. */
export function signedFor(data: Uint8Array): readonly Purpose[] {
  const purposes = purposesOf(data);
  return isForSsh(new Set(purposes)) ? purposes : ['raw'];
}

/**
 * Throws `invalid_params` for a login with another key than that which is to sign, or to another session than that which
 * the connection was bound to last: whoever a bound connection is forwarded to logs in nowhere else with it (OpenSSH's
 * PROTOCOL.agent, section 1). Throws SshFormatError for what no server takes for a login.
 */
export function requireLoginOf(key: Buffer, data: Buffer, binds: SessionBinds): void {
  const { sessionId, keyBlob, hostKey } = readLoginRequest(data);
  if (!isKeyOrItsCertificate(keyBlob, key)) {
    throw new AgentError(
      'invalid_params',
      `the login is with ${fingerprint(keyBlob)}, and ${fingerprint(key)} is to sign it`,
    );
  }
  const fault = binds.faultOfLogin(sessionId, hostKey);
  if (fault !== null) throw new AgentError('invalid_params', fault);
}
