/**
 * The documents of a cluster as they are signed: compact JSON, the members in one order. Whoever verifies makes these
 * very bytes anew of what was read, so that nothing else can pass for one.
 */

const joinClaims = [
  'api_endpoint',
  'raft_endpoint',
  'leader_wg_pubkey',
  'overlay_cidr',
  'exp',
  'iat',
  'iss',
];
const certificate = [
  'v',
  'active_kid',
  'active_pubkey_b64',
  'issued_at',
  'expires_at',
  'cluster_domain',
  'sig_by_ca',
];

/** The claims of a join token. */
export function isJoinClaims(message: Buffer): boolean {
  return hasInOrder(message, joinClaims);
}

/** A certificate that the CA of a cluster is to sign. */
export function isCaCertToSign(message: Buffer): boolean {
  return hasInOrder(message, certificate);
}

/** An object that begins with the first member and has the others behind it; what their values are is not looked at. */
function hasInOrder(message: Buffer, members: readonly string[]): boolean {
  if (message.at(-1) !== 0x7d) return false;
  let at = 0;
  for (const [index, member] of members.entries()) {
    const name = Buffer.from(`${index === 0 ? '{' : ','}"${member}":`);
    const found = index === 0 ? startOf(message, name) : message.indexOf(name, at);
    if (found < 0) return false;
    at = found + name.length;
  }
  return true;
}

function startOf(message: Buffer, name: Buffer): number {
  return message.subarray(0, name.length).equals(name) ? 0 : -1;
}
