/**
 * Signs in place or in the thread pool, whichever answers sooner. A request alone is signed at once: the way
 * to another thread and back costs about as much as the signature. Several that wait at the end of the same
 * turn go to the thread pool and use every core, and so does a long message: Ed25519 hashes it twice, while nobody else
 * would be served.
 */

/** Bytes of the longest message that is signed in place, some 40 µs. */
const longestInPlace = 8 * 1024;

/** Makes a signature: in place where `done` is null (and answers with it), else in the thread pool. */
export type MakeSignature<Key> = (
  key: Key,
  message: Uint8Array,
  done: ((failure: Error | null, signature: Buffer) => void) | null,
) => Buffer | null;

interface Waiting<Key> {
  readonly key: Key;
  readonly message: Uint8Array;
  readonly resolve: (signature: Uint8Array) => void;
  readonly reject: (failure: unknown) => void;
}

export class SignatureQueue<Key> {
  readonly #make: MakeSignature<Key>;
  #waiting: Waiting<Key>[] = [];
  #inThreads = 0;

  constructor(make: MakeSignature<Key>) {
    this.#make = make;
  }

  sign(key: Key, message: Uint8Array): Promise<Uint8Array> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ key, message, resolve, reject });
      if (this.#waiting.length === 1) {
        process.nextTick(() => {
          this.#flush();
        });
      }
    });
  }

  #flush(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    const alone = waiting.length === 1 && this.#inThreads === 0;
    for (const request of waiting) {
      if (alone && request.message.length <= longestInPlace) this.#inPlace(request);
      else this.#inThread(request);
    }
  }

  #inPlace({ key, message, resolve, reject }: Waiting<Key>): void {
    try {
      const signature = this.#make(key, message, null);
      if (signature === null) throw new Error('a signature made in place was not answered');
      resolve(signature);
    } catch (failure) {
      reject(failure);
    }
  }

  #inThread({ key, message, resolve, reject }: Waiting<Key>): void {
    this.#inThreads += 1;
    this.#make(key, message, (failure, signature) => {
      this.#inThreads -= 1;
      if (failure === null) resolve(signature);
      else reject(failure);
    });
  }
}
