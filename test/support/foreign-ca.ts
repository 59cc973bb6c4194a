import { createHash, generateKeyPairSync, sign, verify, type KeyObject } from 'node:crypto';

/**
 * The CA of another program of the cluster, written from the format document alone: it shares no code with `src`, and
 * puts its JSON together by hand.
 */
export class ForeignCa {
  readonly domain: string;
  readonly publicKey: KeyObject;
  readonly #privateKey: KeyObject;

  constructor(domain: string) {
    this.domain = domain;
    ({ publicKey: this.publicKey, privateKey: this.#privateKey } = generateKeyPairSync('ed25519'));
  }

  get publicKeyB64(): string {
    return rawOf(this.publicKey).toString('base64url');
  }

  get kid(): string {
    return kidOf(this.publicKey);
  }

  /** 32 bytes, as they lie in a file. */
  get seed(): Buffer {
    return Buffer.from(this.#privateKey.export({ format: 'jwk' }).d ?? '', 'base64url');
  }

  /** SubjectPublicKeyInfo PEM. */
  get publicPem(): string {
    return this.publicKey.export({ format: 'pem', type: 'spki' }).toString();
  }

  /** A certificate's text for that key. */
  certify(
    key: KeyObject,
    { issued, expires, domain = this.domain }: { issued: string; expires: string; domain?: string },
  ): string {
    const text = (signature: string): string =>
      `{"v":1,"active_kid":"${kidOf(key)}","active_pubkey_b64":"${rawOf(key).toString('base64url')}",` +
      `"issued_at":"${issued}","expires_at":"${expires}","cluster_domain":"${escaped(domain)}",` +
      `"sig_by_ca":"${signature}"}`;
    const signature = sign(null, Buffer.from(text(''), 'utf8'), this.#privateKey);
    return text(signature.toString('base64url'));
  }

  bundle(generated: string): string {
    return (
      `{"v":1,"cluster_domain":"${escaped(this.domain)}","ca_public_key_b64":"${this.publicKeyB64}",` +
      `"ca_kid":"${this.kid}","generated_at":"${generated}"}`
    );
  }
}

export function newKey(): KeyObject {
  return generateKeyPairSync('ed25519').publicKey;
}

/**
 * Verifies a certificate's text by the bytes that it stands in, without reading it as JSON: what was signed is the
 * text with nothing between the quotes of its signature.
 */
export function verifiesByItsBytes(text: string, caPublicKeyB64: string): boolean {
  const match = /^(?<head>\{"v":1,.*"sig_by_ca":")(?<signature>[A-Za-z0-9_-]{86})"\}$/s.exec(text);
  const { head, signature } = match?.groups ?? {};
  if (head === undefined || signature === undefined) return false;
  const key = { key: { kty: 'OKP', crv: 'Ed25519', x: caPublicKeyB64 }, format: 'jwk' } as const;
  return verify(null, Buffer.from(`${head}"}`), key, Buffer.from(signature, 'base64url'));
}

export function kidOf(key: KeyObject): string {
  return createHash('sha256').update(rawOf(key)).digest('hex').slice(0, 8);
}

function rawOf(key: KeyObject): Buffer {
  return Buffer.from(key.export({ format: 'jwk' }).x ?? '', 'base64url');
}

/** RFC 8259, section 7: what must be escaped, and nothing else. */
function escaped(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\t', '\\t');
}
