import { createHash, generateKeyPairSync, sign, type KeyObject } from 'node:crypto';

/**
 * Audit chains made by hand, after the format's description and not with the agent's own code: each record is
 * JSON.stringify of an object whose members stand in the format's order.
 */

export interface AuditKey {
  readonly kid: string;
  readonly privateKey: KeyObject;
  readonly algorithm: 'ed25519' | 'es256';
  /** Raw. */
  readonly bytes: Buffer;
  readonly jwk: Readonly<Record<string, unknown>>;
}

export function auditKey(algorithm: AuditKey['algorithm'] = 'ed25519'): AuditKey {
  const { publicKey, privateKey } =
    algorithm === 'ed25519'
      ? generateKeyPairSync('ed25519')
      : generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const der = publicKey.export({ type: 'spki', format: 'der' });
  const bytes = der.subarray(algorithm === 'ed25519' ? -32 : -65);
  const kid = sha256(bytes).slice(0, 8);
  const alg = algorithm === 'ed25519' ? 'EdDSA' : 'ES256';
  const jwk = { ...publicKey.export({ format: 'jwk' }), kid, use: 'sig', alg };
  return { kid, privateKey, algorithm, bytes, jwk };
}

export function sha256(bytes: string | Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

export const noLine = '0'.repeat(64);

/** Members of a record that are not as usual. */
export type Members = Readonly<Record<string, unknown>>;

const operation = {
  event: 'operation',
  uid: 1000,
  pid: 4242,
  user: 'ci',
  api_key: null,
  exe_best_effort: '/usr/bin/node',
  scope: 'app',
  method: 'sign',
  keyring: 'default',
  kid: '0a1b2c3d',
  subject: null,
  message_sha256: [sha256('a message')],
  outcome: 'done',
  kind: null,
  reason: null,
  of: null,
  repeated: null,
};

const ownEvent = {
  ...Object.fromEntries(Object.keys(operation).map((name) => [name, null])),
  message_sha256: [],
};

/** Writes records one after the other, over one or more files. */
export class ChainMaker {
  readonly #key: AuditKey;
  /** Lines without newlines. */
  readonly files: string[][] = [[]];
  seq = 0;
  prev = noLine;
  /** Milliseconds since the epoch; a second more for each record. */
  time = Date.UTC(2026, 0, 2, 3, 4, 5);

  constructor(key: AuditKey) {
    this.#key = key;
  }

  operation(members: Members = {}): this {
    return this.#write(this.#record({ ...operation, ...members }));
  }

  continued(): this {
    return this.#write(this.#record({ ...ownEvent, event: 'continued' }));
  }

  /** An event of the log itself, signed. */
  event(event: string, key: AuditKey = this.#key): this {
    const unsigned = this.#record({ ...ownEvent, event }, { signer: key.kid, signature: '' });
    const signed = Buffer.from(`signing-agent/audit/v1\n${JSON.stringify(unsigned)}`);
    const signature =
      key.algorithm === 'ed25519'
        ? sign(null, signed, key.privateKey)
        : sign('sha256', signed, { key: key.privateKey, dsaEncoding: 'ieee-p1363' });
    return this.#write({ ...unsigned, signature: signature.toString('base64url') });
  }

  unsignedEvent(event: string, reason: string): this {
    const record = this.#record({ ...ownEvent, event, reason }, { signer: null, signature: '' });
    return this.#write(record);
  }

  nextFile(): this {
    this.files.push([]);
    return this;
  }

  #record(members: Members, signed: Members = {}): Members {
    const time = new Date(this.time).toISOString();
    return { v: 1, seq: this.seq + 1, time, ...members, ...signed, prev: this.prev };
  }

  #write(record: Members): this {
    const line = JSON.stringify(record);
    this.files.at(-1)?.push(line);
    this.seq += 1;
    this.time += 1000;
    this.prev = sha256(line);
    return this;
  }
}

/** Two files and a half: what an agent does, from its start to its end. */
export function wholeChain(key: AuditKey): ChainMaker {
  return new ChainMaker(key)
    .event('started')
    .operation()
    .operation({ method: 'rotate', message_sha256: [], outcome: 'begun' })
    .operation({ user: 'zoë', reason: 'tab\there', outcome: 'refused', kind: 'forbidden' })
    .operation({ method: 'rotate', message_sha256: [], kid: '11112222', of: 3 })
    .event('closed')
    .nextFile()
    .continued()
    .operation()
    .event('checkpoint')
    .operation({ uid: null, pid: null, user: null, scope: null, exe_best_effort: null })
    .event('closed')
    .nextFile()
    .continued()
    .operation()
    .event('stopped');
}

/** The bytes of a file of whole lines. */
export function fileBytes(lines: readonly string[]): Buffer {
  return Buffer.from(lines.map((line) => `${line}\n`).join(''));
}
