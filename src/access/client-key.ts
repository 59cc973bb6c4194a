import type { Actor, ClientKeyView } from '../api/client-keys.ts';
import { encodeBase64 } from '../base/base64.ts';
import { AgentError } from '../base/errors.ts';
import { recipientOf } from '../formats/age/age-recipient.ts';
import type { Grant } from './grant.ts';

/** A public key that answers can be encrypted for. Times are RFC 3339 in UTC. */
export interface ClientKey {
  /** `ck_` and 32 lowercase hex digits. */
  readonly id: string;
  readonly actor: Actor;
  /** X25519, 32 bytes (RFC 7748). */
  readonly publicKey: Uint8Array;
  readonly label: string | null;
  readonly createdAt: string;
  readonly lastUsedAt: string | null;
  /** Nothing is encrypted for it from then on; the record stays. */
  readonly revokedAt: string | null;
}

const form = /^ck_[0-9a-f]{32}$/;

export function isClientKeyId(text: string): boolean {
  return form.test(text);
}

/** `random`: 16 bytes. */
export function clientKeyId(random: Buffer): string {
  return `ck_${random.toString('hex')}`;
}

export function isSameActor(a: Actor, b: Actor): boolean {
  return a.kind === b.kind && a.id === b.id;
}

/** Whom what the caller registers belongs to. Throws `forbidden` for a caller of the network without an API key. */
export function actorOf({ principal }: Grant): Actor {
  switch (principal.kind) {
    case 'user':
      return { kind: 'user', id: String(principal.uid) };
    case 'api_key':
      return { kind: 'api_key', id: principal.api_key };
    case 'network':
      throw new AgentError(
        'forbidden',
        'client keys belong to users of this machine and to API keys: authenticate first',
      );
  }
}

export function viewOf(key: ClientKey, name: string | null): ClientKeyView {
  return {
    id: key.id,
    actor: { ...key.actor, name },
    public_key_b64: encodeBase64(key.publicKey),
    recipient: recipientOf(key.publicKey),
    label: key.label,
    created_at: key.createdAt,
    last_used_at: key.lastUsedAt,
    revoked_at: key.revokedAt,
  };
}
