import { createHash } from 'node:crypto';
import { AgentError } from '../base/errors.ts';
import { newObjectId, objectIdRandomLength } from './object-id.ts';

/**
 * How CKA_ID and CKA_LABEL of a key are formed.
 * `time`: 16 bytes of our own, and the keyring's label. `two_bytes`: the number of the device's object.
 * `ascii`: letters and digits that name keyring and key together, since the label is the id.
 */
export type IdForm = 'time' | 'two_bytes' | 'ascii';

/** Under which names a key stands in the token, on both of its halves. */
export interface KeyName {
  /** CKA_ID in lowercase hex. */
  readonly objectId: string;
  /** CKA_LABEL. */
  readonly label: string;
}

/** What a new id is made of. */
export interface IdSource {
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  readonly randomBytes: (size: number) => Buffer;
  /** Ids, in hex, that no new key may have. */
  readonly taken: ReadonlySet<string>;
}

/** How many ids of two bytes are drawn before the device counts as full; it has room for 256 objects. */
const mostDraws = 64;
const asciiPrefix = 'sa';
const keyringDigits = 8;

/** The names of one keyring's keys in one token. */
export class KeyNames {
  /** CKA_LABEL of its keys where the label is free, and of its seal. */
  readonly label: string;
  readonly #form: IdForm;

  constructor(label: string, form: IdForm) {
    this.label = label;
    this.#form = form;
  }

  /** Throws `backend_unavailable` where no id is free. */
  reserve({ now, randomBytes, taken }: IdSource): string {
    const time = newObjectId(now(), randomBytes(objectIdRandomLength));
    switch (this.#form) {
      case 'time':
        return time;
      case 'ascii':
        return Buffer.from(`${this.#asciiStart()}${time}`, 'latin1').toString('hex');
      case 'two_bytes':
        for (let draw = 0; draw < mostDraws; draw += 1) {
          const id = randomBytes(2).toString('hex');
          // 0 asks the device for an id of its own; ffff stands for none.
          if (id !== '0000' && id !== 'ffff' && !taken.has(id)) return id;
        }
        throw new AgentError('backend_unavailable', 'the token has no object id left for a key');
    }
  }

  /** Throws `invalid_params` where this is no id in hex. */
  nameOf(objectId: string): KeyName {
    if (!/^(?:[0-9a-f]{2})+$/.test(objectId)) {
      throw new AgentError('invalid_params', 'an object id is lowercase hex, two digits a byte');
    }
    const label =
      this.#form === 'ascii' ? Buffer.from(objectId, 'hex').toString('latin1') : this.label;
    return { objectId, label };
  }

  /** Whether a key object with these names is this keyring's. */
  owns(objectId: string, label: string | null): boolean {
    return this.#form === 'ascii'
      ? label === Buffer.from(objectId, 'hex').toString('latin1') &&
          label.startsWith(this.#asciiStart())
      : label === this.label;
  }

  /** CKA_LABEL to search keys by; null where each has another. */
  get searchLabel(): string | null {
    return this.#form === 'ascii' ? null : this.label;
  }

  /** Tells keyrings on one token apart where a name has letters and digits alone. */
  #asciiStart(): string {
    const digest = createHash('sha256').update(this.label, 'utf8').digest('hex');
    return asciiPrefix + digest.slice(0, keyringDigits);
  }
}

/** Throws `invalid_params` for a label that the device cuts off, or keeps elsewhere. */
export function refuseLongLabel(label: string, longest: number | null): void {
  const length = Buffer.byteLength(label, 'utf8');
  if (longest === null || length <= longest) return;
  throw new AgentError(
    'invalid_params',
    `the label "${label}" of this keyring's keys has ${length} bytes, and the token keeps ${longest}: give them a ` +
      'shorter one with "object" in the URI',
  );
}
