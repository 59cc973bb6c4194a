import { scrypt, scryptSync } from 'node:crypto';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import * as z from 'zod';
import { decodeBase64, encodeBase64 } from '../../base/base64.ts';
import { AgentError, quoted } from '../../base/errors.ts';
import { unlockCommand } from './locked.ts';
import { formatTime } from '../../base/rfc3339.ts';
import type { PinRefusal } from '../pin-gate.ts';
import type { World } from '../../base/world.ts';
import { describeProblem, time } from '../../files/document-fields.ts';

/** See PinPlace. */
export function pinMemoryPath(besidePath: string, keyring: string): string {
  return join(dirname(besidePath), `${keyring}.pin-refused.json`);
}

/** When the token refused, and in which words (CKR_PIN_INCORRECT). */
export interface RememberedRefusal {
  readonly at: string;
  readonly reason: string;
}

const keyLength = 32;
/** About 0.1 s and 32 MiB a guess: a copy of the file does not give away a short PIN at once. */
const cost = { N: 2 ** 15, r: 8, p: 1, maxmem: 64 * 1024 * 1024 };
/** Only another process of ours could be quicker this often. */
const maxConflicts = 8;

/** `token`: the one that said so, see PinPlace.device; absent: any. */
const refusal = z.strictObject({ at: time, reason: z.string(), token: z.string().optional() });
const bytes = z.string().refine((text) => decodeBase64(text)?.length === keyLength, {
  error: `must be ${keyLength} bytes in base64`,
});
const document = z.strictObject({
  version: z.literal(1),
  keyring: z.string(),
  key_b64: bytes,
  refused: z.array(z.strictObject({ digest_b64: bytes, ...refusal.shape })),
  closed: refusal.optional(),
  /** Logins in a row whose end nobody wrote down. */
  trying: z
    .strictObject({ at: time, times: z.int().min(1), token: z.string().optional() })
    .optional(),
});

type Memory = z.output<typeof document>;

const scryptAsync = promisify<Buffer, Buffer, number, typeof cost, Buffer>(scrypt);

function digest(pin: Buffer, key: Buffer): Promise<Buffer> {
  return scryptAsync(pin, key, keyLength, cost);
}

/**
 * Which PINs a token has refused, in a file beside the sidecar: each is tried once, by whichever process. The
 * PINs themselves are not in it, but digests under a random key. What another token said, which the keyring had
 * before, says nothing of this one.
 *
 * Everything throws `locked` where the file is broken or another keyring's, `backend_unavailable` where it may
 * not be trusted (owner, mode, link); both name the file and the remedy.
 */
export class PinMemory {
  readonly path: string;
  readonly #keyring: string;
  readonly #token: string;
  readonly #world: Pick<World, 'files' | 'now' | 'randomBytes'>;
  /** What could not be written down: this process at least does not forget it. */
  #unsaved: Memory | null = null;

  /** `token`: see tokenNamed. */
  constructor(
    path: string,
    keyring: string,
    token: string,
    world: Pick<World, 'files' | 'now' | 'randomBytes'>,
  ) {
    this.path = path;
    this.#keyring = keyring;
    this.#token = token;
    this.#world = world;
  }

  /** The refusal of this very PIN; null where it was not refused, as far as is known. */
  async refusalOf(pin: Buffer): Promise<RememberedRefusal | null> {
    const memory = this.#current();
    if (memory === null || !memory.refused.some(this.#isOurs)) return null;
    return this.#find(memory, await digest(pin, keyOf(memory)));
  }

  /** As `refusalOf`, on this thread. */
  refusalNow(pin: Buffer): RememberedRefusal | null {
    const memory = this.#current();
    if (memory === null || !memory.refused.some(this.#isOurs)) return null;
    return this.#find(memory, scryptSync(pin, keyOf(memory), keyLength, cost));
  }

  /** Set where the token takes no PIN at all. */
  get closed(): RememberedRefusal | null {
    const closed = this.#current()?.closed;
    if (closed === undefined || !this.#isOurs(closed)) return null;
    return { at: closed.at, reason: closed.reason };
  }

  /** When the last login was begun whose end is not known, and how many such there are in a row; null: none. */
  get cutOff(): { readonly at: string; readonly times: number } | null {
    const trying = this.#current()?.trying;
    return trying === undefined || !this.#isOurs(trying) ? null : trying;
  }

  /**
   * A login is about to be made, the first in a row where `afresh`. Durable when it resolves; rejects where that
   * cannot be written.
   */
  async begin(afresh: boolean): Promise<void> {
    const { memory, identity, unreadable } = this.#examine();
    if (unreadable !== null) throw unreadable;
    const before =
      memory.trying !== undefined && this.#isOurs(memory.trying) ? memory.trying : null;
    const times = afresh ? 1 : (before?.times ?? 0) + 1;
    const trying = { at: formatTime(this.#world.now()), times, token: this.#token };
    await this.#world.files.replace(this.path, textOf({ ...memory, trying }), identity);
  }

  /** The login begun last has been answered: it is none whose end is not known. */
  async undo(): Promise<void> {
    const { memory, identity, unreadable } = this.#examine();
    if (unreadable !== null) throw unreadable;
    const { trying, ...rest } = memory;
    if (trying === undefined || !this.#isOurs(trying)) return;
    const before = trying.times > 1 ? { trying: { ...trying, times: trying.times - 1 } } : {};
    await this.#world.files.replace(this.path, textOf({ ...rest, ...before }), identity);
  }

  /** Durable when it resolves. Where it rejects, this process remembers all the same. */
  async remember(pin: Buffer, { kind, reason }: PinRefusal): Promise<void> {
    const entry = { at: formatTime(this.#world.now()), reason, token: this.#token };
    for (let attempt = 1; ; attempt += 1) {
      const found = this.#examine();
      const after = await withRefusal(found.memory, pin, kind, entry);
      try {
        if (found.unreadable !== null) throw found.unreadable;
        await this.#world.files.replace(this.path, textOf(after), found.identity);
        this.#unsaved = null;
        return;
      } catch (failure) {
        const raced = failure instanceof AgentError && failure.kind === 'conflict';
        if (raced && attempt < maxConflicts) continue;
        this.#unsaved = after;
        throw failure;
      }
    }
  }

  /** Forgets what this token refused; a broken file is replaced. Durable when it resolves. */
  async forget(): Promise<void> {
    this.#unsaved = null;
    const content = this.#world.files.read(this.path);
    if (content === null) return;
    const memory = this.#parsed(content.bytes);
    if (memory !== null && !this.#saysSomething(memory)) return;
    const left = memory === null ? this.#empty() : this.#ofOthers(memory);
    await this.#world.files.replace(this.path, textOf(left), content.identity);
  }

  readonly #isOurs = ({ token }: { readonly token?: string | undefined }): boolean =>
    token === undefined || token === this.#token;

  #saysSomething({ refused, closed, trying }: Memory): boolean {
    const said = [...refused, ...(closed ? [closed] : []), ...(trying ? [trying] : [])];
    return said.some(this.#isOurs);
  }

  #ofOthers({ closed, trying, ...memory }: Memory): Memory {
    return {
      ...memory,
      refused: memory.refused.filter((entry) => !this.#isOurs(entry)),
      ...(closed === undefined || this.#isOurs(closed) ? {} : { closed }),
      ...(trying === undefined || this.#isOurs(trying) ? {} : { trying }),
    };
  }

  #find(memory: Memory, made: Buffer): RememberedRefusal | null {
    const found = memory.refused.find(
      (entry) => this.#isOurs(entry) && isDigest(entry.digest_b64, made),
    );
    return found === undefined ? null : { at: found.at, reason: found.reason };
  }

  /** What a refusal is added to. `unreadable`: the file may not be trusted, nor replaced. */
  #examine(): { memory: Memory; identity: string | null; unreadable: Error | null } {
    const unsaved = this.#unsaved;
    try {
      const content = this.#world.files.read(this.path);
      if (content === null) {
        return { memory: unsaved ?? this.#empty(), identity: null, unreadable: null };
      }
      const memory = unsaved ?? this.#parseOrClose(content.bytes);
      return { memory, identity: content.identity, unreadable: null };
    } catch (failure) {
      if (!(failure instanceof AgentError)) throw failure;
      return { memory: unsaved ?? this.#empty(), identity: null, unreadable: failure };
    }
  }

  /** A broken file has lost what was refused before: from then on nothing is tried without an operator. */
  #parseOrClose(content: Buffer): Memory {
    try {
      return this.#parse(content);
    } catch {
      const at = formatTime(this.#world.now());
      return { ...this.#empty(), closed: { at, reason: 'what it refused before was lost' } };
    }
  }

  #parsed(content: Buffer): Memory | null {
    try {
      return this.#parse(content);
    } catch {
      return null; // replaced by who forgets
    }
  }

  #current(): Memory | null {
    if (this.#unsaved !== null) return this.#unsaved;
    const content = this.#world.files.read(this.path);
    return content === null ? null : this.#parse(content.bytes);
  }

  #empty(): Memory {
    const key_b64 = encodeBase64(this.#world.randomBytes(keyLength));
    return { version: 1, keyring: this.#keyring, key_b64, refused: [] };
  }

  #parse(content: Buffer): Memory {
    try {
      const text = new TextDecoder('utf-8', { fatal: true }).decode(content);
      const memory = document.parse(JSON.parse(text));
      if (memory.keyring === this.#keyring) return memory;
      throw new Error(`it belongs to keyring ${quoted(memory.keyring)}`);
    } catch (failure) {
      throw new AgentError(
        'locked',
        `${this.path} does not say which PINs the token of keyring ${this.#keyring} has refused: ` +
          `${describeProblem(failure)}. No PIN is tried until an operator gives one that may be: ` +
          `${unlockCommand(this.#keyring)} --again`,
      );
    }
  }
}

async function withRefusal(
  memory: Memory,
  pin: Buffer,
  kind: PinRefusal['kind'],
  entry: RememberedRefusal & { readonly token: string },
): Promise<Memory> {
  const ended = { ...memory };
  delete ended.trying;
  if (kind === 'closed') return { ...ended, closed: entry };
  const made = await digest(pin, keyOf(memory));
  const others = memory.refused.filter(
    (other) => other.token !== entry.token || !isDigest(other.digest_b64, made),
  );
  return { ...ended, refused: [...others, { digest_b64: encodeBase64(made), ...entry }] };
}

function isDigest(digest_b64: string, made: Buffer): boolean {
  return decodeBase64(digest_b64)?.equals(made) ?? false;
}

function keyOf({ key_b64 }: Memory): Buffer {
  return decodeBase64(key_b64) ?? Buffer.alloc(0);
}

function textOf(memory: Memory): Buffer {
  return Buffer.from(`${JSON.stringify(memory, null, 2)}\n`, 'utf8');
}
