import { createHash, generateKeyPairSync, sign, type KeyObject } from 'node:crypto';
import { mpint, sshString, uint32 } from '../../src/formats/ssh/wire.ts';

export const securityKeyTypes = [
  'sk-ssh-ed25519@openssh.com',
  'sk-ecdsa-sha2-nistp256@openssh.com',
] as const;
type SecurityKeyType = (typeof securityKeyTypes)[number];

const touched = 1;

/** What a FIDO authenticator does with a key of its own (OpenSSH's PROTOCOL.u2f), by node:crypto. */
export class SecurityKey {
  readonly blob: Buffer;
  readonly #type: SecurityKeyType;
  readonly #application: string;
  readonly #privateKey: KeyObject;
  #counter = 0;

  constructor(type: SecurityKeyType, application = 'ssh:') {
    this.#type = type;
    this.#application = application;
    const isEd25519 = type === 'sk-ssh-ed25519@openssh.com';
    const pair = isEd25519
      ? generateKeyPairSync('ed25519')
      : generateKeyPairSync('ec', { namedCurve: 'P-256' });
    this.#privateKey = pair.privateKey;
    const spki = pair.publicKey.export({ type: 'spki', format: 'der' });
    const key = isEd25519 ? [spki.subarray(-32)] : ['nistp256', spki.subarray(-65)];
    this.blob = Buffer.concat([type, ...key, application].map(sshString));
  }

  /** As in a .pub file. */
  get line(): string {
    return `${this.#type} ${this.blob.toString('base64')} test`;
  }

  /** The signature blob. */
  sign(data: Uint8Array, flags = touched): Buffer {
    this.#counter += 1;
    const state = Buffer.concat([Buffer.of(flags), uint32(this.#counter)]);
    const signed = Buffer.concat([sha256(this.#application), state, sha256(data)]);
    return Buffer.concat([sshString(this.#type), sshString(this.#signature(signed)), state]);
  }

  #signature(signed: Buffer): Buffer {
    if (this.#type === 'sk-ssh-ed25519@openssh.com') return sign(null, signed, this.#privateKey);
    const raw = sign('sha256', signed, { key: this.#privateKey, dsaEncoding: 'ieee-p1363' });
    return Buffer.concat([mpint(raw.subarray(0, 32)), mpint(raw.subarray(32))]);
  }
}

function sha256(content: string | Uint8Array): Buffer {
  return createHash('sha256').update(content).digest();
}
