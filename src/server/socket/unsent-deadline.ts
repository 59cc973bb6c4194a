import type { Socket } from 'node:net';

/** How long a client may take nothing of what was written to it. One that takes some has the whole time again. */
export class UnsentDeadline {
  readonly #socket: Socket;
  readonly #ms: number;
  readonly #onMissed: () => void;
  #timer: NodeJS.Timeout | null = null;

  constructor(socket: Socket, ms: number, onMissed: () => void) {
    this.#socket = socket;
    this.#ms = ms;
    this.#onMissed = onMissed;
  }

  begin(): void {
    this.end();
    this.#watch(untaken(this.#socket));
  }

  end(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }

  #watch(before: number): void {
    this.#timer = setTimeout(() => {
      const left = untaken(this.#socket);
      if (left < before) this.#watch(left);
      else this.#onMissed();
    }, this.#ms);
  }
}

/** Bytes that the kernel has not taken. Node counts a write as one until it is done; its handle knows how far it is. */
function untaken(socket: Socket): number {
  const handle: unknown = Reflect.get(socket, '_handle');
  if (typeof handle !== 'object' || handle === null || !('writeQueueSize' in handle)) {
    return socket.writableLength;
  }
  const { writeQueueSize } = handle;
  return typeof writeQueueSize === 'number' ? writeQueueSize : socket.writableLength;
}
