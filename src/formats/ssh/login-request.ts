/**
 * What a client signs to log in over SSH: RFC 4252, section 7 (`publickey`) and section 9 (`hostbased`), and OpenSSH's
 * `publickey-hostbound-v00@openssh.com`, which names the host key too (OpenSSH's PROTOCOL, section 3.1).
 */
import { SshFormatError, SshReader } from './wire.ts';

export interface LoginRequest {
  readonly sessionId: Buffer;
  /** The key that is to log in, or a certificate of it, as the request has it. */
  readonly keyBlob: Buffer;
  /** The server's host key; null where the request does not name it. */
  readonly hostKey: Buffer | null;
}

/** SSH_MSG_USERAUTH_REQUEST */
const userauthRequest = 50;
const byKey = 'publickey';
const byKeyAndHost = 'publickey-hostbound-v00@openssh.com';
const byHost = 'hostbased';

/** Whether a server could take it for one, whatever stands behind the name of the method. */
export function isLoginRequest(message: Buffer): boolean {
  try {
    const { method } = begin(new SshReader(message));
    return method.startsWith(byKey) || method === byHost;
  } catch (error) {
    if (error instanceof SshFormatError) return false;
    throw error;
  }
}

/** Reads one to its end. Throws SshFormatError. */
export function readLoginRequest(message: Buffer): LoginRequest {
  const reader = new SshReader(message);
  const { sessionId, method } = begin(reader);
  if (method !== byKey && method !== byKeyAndHost && method !== byHost) {
    throw new SshFormatError('a login by a method that is not known here');
  }
  if (method !== byHost && reader.byte() !== 1) {
    throw new SshFormatError('a login that says that it has no signature');
  }
  reader.string(); // algorithm
  const keyBlob = reader.string();
  const hostKey = method === byKeyAndHost ? reader.string() : null;
  if (method === byHost) {
    reader.string(); // name of the client's host
    reader.string(); // user there
  }
  reader.end();
  return { sessionId, keyBlob, hostKey };
}

function begin(reader: SshReader): { readonly sessionId: Buffer; readonly method: string } {
  const sessionId = reader.string();
  if (reader.byte() !== userauthRequest) throw new SshFormatError('no request to log in');
  reader.string(); // user
  reader.string(); // service
  return { sessionId, method: reader.string().toString('latin1') };
}
