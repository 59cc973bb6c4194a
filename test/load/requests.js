// What the flooding user sends: one entry a kind. `frame`: bytes of a request; `socket`: where it goes.
import { generateKeyPairSync, sign } from 'node:crypto';

const line = (method, params = {}) =>
  Buffer.from(`${JSON.stringify({ jsonrpc: '2.0', id: 1, method, params })}\n`);

const sshString = (content) => {
  const bytes = Buffer.from(content);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(bytes.length);
  return Buffer.concat([length, bytes]);
};

/** A session-bind that holds: the host key has signed the session id. */
function sessionBind() {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519');
  const raw = publicKey.export({ type: 'spki', format: 'der' }).subarray(-32);
  const type = 'ssh-ed25519';
  const sessionId = Buffer.alloc(32, 7);
  const signature = [sshString(type), sshString(sign(null, sessionId, privateKey))];
  return sshString(
    Buffer.concat([
      Buffer.of(27), // SSH_AGENTC_EXTENSION
      sshString('session-bind@openssh.com'),
      sshString(Buffer.concat([sshString(type), sshString(raw)])),
      sshString(sessionId),
      sshString(Buffer.concat(signature)),
      Buffer.of(1), // forwarded: the same again changes nothing
    ]),
  );
}

/** 200 KB of the smallest members that there can be, within the depth that is read. */
function manyMembers() {
  const members = Array.from({ length: 20_000 }, (_, at) => `"${at}":{}`).join(',');
  return Buffer.from(`{"jsonrpc":"2.0","id":1,"method":"ping","params":{${members}}}\n`);
}

const message_b64 = Buffer.alloc(32, 7).toString('base64url');

/** `signed`: a signature over that message, for `verify`. */
export function requestOf(kind, signed) {
  switch (kind) {
    case 'ping':
      return { socket: 'agent', frame: line('ping') };
    case 'sign':
      return { socket: 'agent', frame: line('sign', { message_b64 }) };
    case 'verify':
      return { socket: 'agent', frame: line('verify', { message_b64, ...signed }) };
    case 'list':
      return { socket: 'agent', frame: line('list_valid_pubkeys') };
    case 'authenticate':
      return {
        socket: 'agent',
        frame: line('authenticate', { api_key: `sa_nobody_${'x'.repeat(43)}` }),
      };
    case 'session-bind':
      return { socket: 'ssh', frame: sessionBind() };
    case 'members':
      return { socket: 'agent', frame: manyMembers() };
    // Never a newline, and never answered.
    case 'unfinished':
      return { socket: 'agent', frame: Buffer.alloc(255 * 1024, 0x20), once: true };
    // Asks without end, and takes no answer.
    case 'unread':
      return { socket: 'agent', frame: line('list_valid_pubkeys'), deaf: true };
    default:
      throw new Error(`there is no flood of ${kind}`);
  }
}
