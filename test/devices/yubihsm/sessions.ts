import { randomBytes, timingSafeEqual } from 'node:crypto';
import type { StoredObject } from './objects.ts';
import { answered, command, DeviceError, frame } from './protocol.ts';
import { cmac, decrypt, derive, encrypt, vectorOf } from './secure-channel.ts';

/** So many at a time, whoever opened them. */
export const mostSessions = 16;
const macLength = 8;

interface Session {
  readonly login: StoredObject;
  readonly context: Buffer;
  readonly encryption: Buffer;
  readonly mac: Buffer;
  readonly responseMac: Buffer;
  chain: Buffer;
  counter: bigint;
  isAuthenticated: boolean;
  /** Milliseconds, of the clock that was given. */
  lastUsed: number;
}

/** The 16 places for sessions. One that nobody used for `idleMs` is given away. */
export class Sessions {
  readonly #places: (Session | null)[] = new Array<Session | null>(mostSessions).fill(null);
  readonly #idleMs: number;
  readonly #now: () => number;

  constructor(idleMs: number, now: () => number) {
    this.#idleMs = idleMs;
    this.#now = now;
  }

  get open(): number {
    return this.#places.filter((session) => session !== null && !this.#isOver(session)).length;
  }

  /** As after a reset of the device: whoever has a session is told that there is none. */
  forgetAll(): void {
    this.#places.fill(null);
  }

  close(place: number): void {
    this.#places[place] = null;
  }

  create(login: StoredObject, hostChallenge: Buffer): Buffer {
    const place = this.#places.findIndex((one) => one === null || this.#isOver(one));
    if (place < 0) throw new DeviceError('sessionsFull');
    const challenge = randomBytes(8);
    const context = Buffer.concat([hostChallenge, challenge]);
    const [encryptionKey, macKey] = [login.value.subarray(0, 16), login.value.subarray(16)];
    const mac = derive(macKey, 'mac', context, 128);
    this.#places[place] = {
      ...{ login, context, mac },
      encryption: derive(encryptionKey, 'encryption', context, 128),
      responseMac: derive(macKey, 'responseMac', context, 128),
      chain: Buffer.alloc(16),
      counter: 0n,
      isAuthenticated: false,
      lastUsed: this.#now(),
    };
    return Buffer.concat([
      Buffer.from([place]),
      challenge,
      derive(mac, 'cardCryptogram', context, 64),
    ]);
  }

  authenticate(message: Buffer): void {
    const place = message.readUInt8(3);
    const session = this.#at(place);
    const cryptogram = message.subarray(4, 4 + 8);
    const wanted = derive(session.mac, 'hostCryptogram', session.context, 64);
    if (cryptogram.length !== 8 || !timingSafeEqual(wanted, cryptogram)) {
      this.close(place);
      throw new DeviceError('authenticationFailed');
    }
    this.#checkMac(session, message);
    session.isAuthenticated = true;
    session.counter = 1n;
  }

  /** Opens the message, has it answered, and closes the answer up. */
  converse(message: Buffer, answer: (inner: Buffer, login: StoredObject) => Buffer): Buffer {
    const place = message.readUInt8(3);
    const session = this.#at(place);
    if (!session.isAuthenticated) throw new DeviceError('invalidSession');
    this.#checkMac(session, message);
    const vector = vectorOf(session.encryption, session.counter);
    session.counter += 1n;
    const secret = message.subarray(4, message.length - macLength);
    const inner = answer(decrypt(session.encryption, vector, secret), session.login);
    const body = Buffer.concat([
      Buffer.from([place]),
      encrypt(session.encryption, vector, inner),
      Buffer.alloc(macLength),
    ]);
    const closed = frame(command.sessionMessage | answered, body);
    const covered = closed.subarray(0, closed.length - macLength);
    cmac(session.responseMac, Buffer.concat([session.chain, covered])).copy(
      ...([closed, closed.length - macLength, 0, macLength] as const),
    );
    return closed;
  }

  #at(place: number): Session {
    const session = this.#places[place] ?? null;
    if (session === null || this.#isOver(session)) {
      this.close(place);
      throw new DeviceError('invalidSession');
    }
    session.lastUsed = this.#now();
    return session;
  }

  #isOver({ lastUsed }: Session): boolean {
    return this.#now() - lastUsed > this.#idleMs;
  }

  #checkMac(session: Session, message: Buffer): void {
    const covered = message.subarray(0, message.length - macLength);
    const chain = cmac(session.mac, Buffer.concat([session.chain, covered]));
    if (!timingSafeEqual(chain.subarray(0, macLength), message.subarray(covered.length))) {
      throw new DeviceError('authenticationFailed');
    }
    session.chain = chain;
  }
}
