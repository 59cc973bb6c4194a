import { AgentError } from '../../base/errors.ts';
import type { Seal, SealStore } from '../vault.ts';
import type { TpmConnection } from './connection.ts';
import { envelopeNonceLength, keyFor, openEnvelope, sealEnvelope } from './envelope.ts';
import type { KeyFolder } from './stored/key-folder.ts';
import {
  defineCounter,
  findCounter,
  raiseCounter,
  readCounter,
  type CounterIdentity,
  type FoundCounter,
} from './nv-counter.ts';
import type { TpmWorld } from './tpm-world.ts';

/**
 * The seal of a keyring's records: its counter is one of the TPM's, which nobody can set back, and its key is in a
 * file, sealed by the key of the keyring, together with which counter it is and what that showed when the seal was
 * begun. The seal's counter is what the TPM's has gone up by since.
 */

const sealFile = 'seal.json';
const associated = Buffer.from('signing-agent tpm records seal 1\n', 'latin1');
const keyLength = 32;
/** `u32 index | i64 base | key` */
const contentLength = 4 + 8 + keyLength;
/** Where a TPM's owner may define what it likes (TCG Registry of Reserved TPM 2.0 Handles, 2.2.2). */
const firstIndex = 0x01800000;
const indices = 0x00400000;
const mostAttempts = 16;
/** At once; each is a write to the TPM's memory, which wears out. */
const mostRaises = 1000;

export interface CounterSealOptions {
  readonly folder: KeyFolder;
  /** Of the keyring: part of what the file is bound to. */
  readonly keyring: string;
  /** Of the keyring; stays its own. */
  readonly keyEncryptionKey: Uint8Array;
  readonly world: TpmWorld;
  /** `use` of a TpmDevice, for this keyring. */
  readonly use: <T>(doing: string, work: (connection: TpmConnection) => Promise<T>) => Promise<T>;
  /** The index of a counter that is about to be defined, durable when it resolves. */
  readonly noteIndex: (index: number) => Promise<void>;
  /** One that was noted and may never have come to be used. */
  readonly notedIndex: () => number | null;
}

interface SealRecord {
  readonly index: number;
  /** What the TPM's counter showed at the seal's 0. */
  readonly base: bigint;
  readonly key: Buffer;
}

export class CounterSeal implements SealStore {
  readonly #options: CounterSealOptions;
  readonly #associated: Buffer;

  constructor(options: CounterSealOptions) {
    this.#options = options;
    this.#associated = Buffer.concat([associated, Buffer.from(options.keyring, 'utf8')]);
  }

  /** null too where the TPM does not have the counter any more. */
  async read(): Promise<Seal | null> {
    const record = this.#record();
    if (record === null) return null;
    const counter = await this.#options.use('read its counter', async (connection) => {
      const found = await this.#find(connection, record.index);
      if (found === null) return null;
      return this.#counterOf(connection, record, found);
    });
    return counter === null ? null : { key: record.key, counter };
  }

  /** As SealStore. `conflict` where the TPM's counter is higher already. */
  async write({ key, counter }: Seal): Promise<void> {
    await this.#options.use('raise its counter', async (connection) => {
      const record = this.#record();
      const found = record === null ? null : await this.#find(connection, record.index);
      if (record === null || found === null || !record.key.equals(key)) {
        await this.#begin(connection, key, counter);
        return;
      }
      const has = await this.#counterOf(connection, record, found);
      if (has > counter) {
        throw new AgentError(
          'conflict',
          `the TPM's counter of this keyring is at ${has} already, which is higher than ${counter}`,
        );
      }
      if (counter - has > mostRaises) {
        throw new AgentError(
          'not_supported',
          `the TPM's counter of this keyring is at ${has}, and would have to be raised to ${counter}, one at a time`,
        );
      }
      for (let at = has; at < counter; at += 1) {
        await raiseCounter(connection, found, this.#identity(record.index).auth);
      }
    });
  }

  /** Another key, or the first one, at that counter. The record is durable before it counts for anything. */
  async #begin(connection: TpmConnection, key: Uint8Array, counter: number): Promise<void> {
    const index = await this.#ownCounter(connection);
    const { auth } = this.#identity(index);
    const unwritten = await this.#find(connection, index);
    if (unwritten === null) throw new AgentError('backend_unavailable', 'the TPM lost its counter');
    // Records sealed with the key before must not pass for newer ones.
    await raiseCounter(connection, unwritten, auth);
    const handle = await this.#find(connection, index);
    if (handle === null) throw new AgentError('backend_unavailable', 'the TPM lost its counter');
    const base = (await readCounter(connection, handle, auth)) - BigInt(counter);
    await this.#writeRecord({ index, base, key: Buffer.from(key) });
    this.#options.world.testPoint('tpm/sealed');
  }

  /** The index of a counter that is this keyring's, defined now where there is none. */
  async #ownCounter(connection: TpmConnection): Promise<number> {
    const { noteIndex, notedIndex, world } = this.#options;
    const noted = notedIndex();
    if (noted !== null) {
      const found = await findCounter(connection, this.#identity(noted));
      if (found.is === 'ours') return noted;
    }
    for (let attempt = 0; attempt < mostAttempts; attempt += 1) {
      const index = firstIndex + (world.randomBytes(4).readUInt32BE(0) % indices);
      if ((await findCounter(connection, this.#identity(index))).is !== 'gone') continue;
      await noteIndex(index);
      world.testPoint('tpm/counter-noted');
      if ((await defineCounter(connection, this.#identity(index))) === 'defined') {
        world.testPoint('tpm/counter-defined');
        return index;
      }
    }
    throw new AgentError('not_supported', 'the TPM has no free index for a counter');
  }

  async #find(
    connection: TpmConnection,
    index: number,
  ): Promise<Extract<FoundCounter, { is: 'ours' }>['handle'] | null> {
    const found = await findCounter(connection, this.#identity(index));
    if (found.is === 'ours') return found.handle;
    if (found.is === 'gone') return null;
    throw new AgentError(
      'backend_unavailable',
      `NV index 0x${index.toString(16)} of the TPM is not the counter of this keyring any more: somebody removed ` +
        'that and defined another',
    );
  }

  async #counterOf(
    connection: TpmConnection,
    { index, base }: SealRecord,
    handle: Extract<FoundCounter, { is: 'ours' }>['handle'],
  ): Promise<number> {
    const counter = (await readCounter(connection, handle, this.#identity(index).auth)) - base;
    if (counter >= 0n && counter <= BigInt(Number.MAX_SAFE_INTEGER)) return Number(counter);
    throw new AgentError('backend_unavailable', 'the counter of the TPM has gone back');
  }

  #identity(index: number): CounterIdentity {
    const { keyEncryptionKey } = this.#options;
    const secret = keyFor(keyEncryptionKey, 'counter');
    return { index, tag: keyFor(secret, 'records seal'), auth: secret };
  }

  #record(): SealRecord | null {
    const { folder, keyEncryptionKey } = this.#options;
    const bytes = folder.read(sealFile);
    if (bytes === null) return null;
    const key = keyFor(keyEncryptionKey, 'records seal');
    const content = openEnvelope(key, this.#associated, envelopeIn(bytes));
    key.fill(0);
    if (content?.length !== contentLength) {
      throw new AgentError(
        'backend_unavailable',
        `${folder.pathOf(sealFile)} was altered, or is of another keyring: put it back from a copy`,
      );
    }
    return {
      index: content.readUInt32BE(0),
      base: content.readBigInt64BE(4),
      key: Buffer.from(content.subarray(12)),
    };
  }

  async #writeRecord({ index, base, key: sealKey }: SealRecord): Promise<void> {
    const { folder, keyEncryptionKey, world } = this.#options;
    const content = Buffer.alloc(contentLength);
    content.writeUInt32BE(index, 0);
    content.writeBigInt64BE(base, 4);
    content.set(sealKey, 12);
    const key = keyFor(keyEncryptionKey, 'records seal');
    const envelope = sealEnvelope(
      key,
      world.randomBytes(envelopeNonceLength),
      this.#associated,
      content,
    );
    key.fill(0);
    content.fill(0);
    const document = { version: 1, sealed_b64: envelope.toString('base64url') };
    await folder.replace(sealFile, Buffer.from(`${JSON.stringify(document)}\n`));
  }
}

/** Empty where the file is none of ours: then it opens with no key. */
function envelopeIn(file: Buffer): Buffer {
  const form = /^\{"version":1,"sealed_b64":"([A-Za-z0-9_-]+)"\}\n$/;
  return Buffer.from(form.exec(file.toString('latin1'))?.[1] ?? '', 'base64url');
}
