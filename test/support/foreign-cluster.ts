import { createHash, generateKeyPairSync, sign, verify, type KeyObject } from 'node:crypto';

/**
 * Another program of a cluster: makes keys, certificates, trust bundles and join tokens from the format alone, byte by
 * byte, and knows nothing of the code under test.
 */

export interface ForeignKey {
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
  /** base64url of the 32 bytes. */
  readonly b64: string;
  readonly kid: string;
  /** SHA-256 of the 32 bytes, hex. */
  readonly fingerprint: string;
}

export function foreignKey(): ForeignKey {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  const b64 = publicKey.export({ format: 'jwk' }).x ?? '';
  const digest = createHash('sha256').update(Buffer.from(b64, 'base64url')).digest('hex');
  return { privateKey, publicKey, b64, kid: digest.slice(0, 8), fingerprint: digest };
}

/** A JSON string as RFC 8259 asks for at least: quotes, backslashes and control characters escaped, nothing else. */
export function quote(text: string): string {
  const short: Record<string, string> = {
    ...{ '"': '\\"', '\\': '\\\\', '\b': '\\b', '\f': '\\f' },
    ...{ '\n': '\\n', '\r': '\\r', '\t': '\\t' },
  };
  let written = '';
  for (const character of text) {
    const code = character.codePointAt(0) ?? 0;
    written +=
      short[character] ?? (code < 0x20 ? `\\u${code.toString(16).padStart(4, '0')}` : character);
  }
  return `"${written}"`;
}

function object(...members: readonly (readonly [string, string])[]): string {
  return `{${members.map(([name, value]) => `"${name}":${value}`).join(',')}}`;
}

function signed(text: string, key: ForeignKey): string {
  return sign(null, Buffer.from(text, 'utf8'), key.privateKey).toString('base64url');
}

export const claimNames = [
  'api_endpoint',
  'raft_endpoint',
  'leader_wg_pubkey',
  'overlay_cidr',
  'exp',
  'iat',
  'iss',
] as const;
export type ForeignClaims = Readonly<Record<(typeof claimNames)[number], string>>;

export const someClaims: ForeignClaims = {
  api_endpoint: 'https://leader:3669',
  raft_endpoint: '10.0.0.1:3670',
  leader_wg_pubkey: 'xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=',
  overlay_cidr: '10.42.0.0/16',
  exp: '2026-05-15T17:55:00.123456789+00:00',
  iat: '2026-05-14T17:55:00.000000001Z',
  iss: 'leader',
};

/** The claims without their times. */
export function textsOf(claims: ForeignClaims): Omit<ForeignClaims, 'exp' | 'iat'> {
  const { api_endpoint, raft_endpoint, leader_wg_pubkey, overlay_cidr, iss } = claims;
  return { api_endpoint, raft_endpoint, leader_wg_pubkey, overlay_cidr, iss };
}

export function claimsText(claims: ForeignClaims): string {
  return object(...claimNames.map((name) => [name, quote(claims[name])] as const));
}

/** The JSON of a token of version 1, or of 2 where there is a certificate. */
export function tokenText(key: ForeignKey, claims: ForeignClaims, certificate?: string): string {
  const text = claimsText(claims);
  return object(
    ['v', certificate === undefined ? '1' : '2'],
    ['kid', quote(key.kid)],
    ['claims', text],
    ['sig', quote(signed(text, key))],
    ...(certificate === undefined ? [] : [['ca_chain', certificate] as const]),
  );
}

export function base64url(text: string): string {
  return Buffer.from(text, 'utf8').toString('base64url');
}

export function foreignToken(key: ForeignKey, claims = someClaims, certificate?: string): string {
  return base64url(tokenText(key, claims, certificate));
}

/** Whether a token's signature is over exactly these claims: the strings are compared, nothing is parsed. */
export function isTokenOf(
  token: string,
  key: KeyObject,
  kid: string,
  claims: ForeignClaims,
): boolean {
  const text = Buffer.from(token, 'base64url').toString('utf8');
  const begins = `{"v":1,"kid":${quote(kid)},"claims":${claimsText(claims)},"sig":"`;
  const sig = text.slice(begins.length, -2);
  const signature = Buffer.from(sig, 'base64url');
  return (
    text === `${begins}${sig}"}` &&
    signature.toString('base64url') === sig &&
    Buffer.from(text, 'utf8').toString('base64url') === token &&
    verify(null, Buffer.from(claimsText(claims), 'utf8'), key, signature)
  );
}

/** A cluster with a CA of its own. */
export class ForeignCluster {
  readonly ca: ForeignKey;
  readonly domain: string;

  constructor(domain = 'other.example', ca = foreignKey()) {
    this.domain = domain;
    this.ca = ca;
  }

  bundle(generated = '2026-05-01T00:00:00Z'): string {
    return object(
      ['v', '1'],
      ['cluster_domain', quote(this.domain)],
      ['ca_public_key_b64', quote(this.ca.b64)],
      ['ca_kid', quote(this.ca.kid)],
      ['generated_at', quote(generated)],
    );
  }

  /** Of that key; `kid`, where the certificate calls it another. */
  certificate(
    key: ForeignKey,
    { expires = '2026-06-14T00:00:00.000000001+00:00', kid = key.kid, by = this.ca } = {},
  ): string {
    const certificate = (signature: string): string =>
      object(
        ['v', '1'],
        ['active_kid', quote(kid)],
        ['active_pubkey_b64', quote(key.b64)],
        ['issued_at', quote('2026-05-14T00:00:00Z')],
        ['expires_at', quote(expires)],
        ['cluster_domain', quote(this.domain)],
        ['sig_by_ca', quote(signature)],
      );
    return certificate(signed(certificate(''), by));
  }
}
