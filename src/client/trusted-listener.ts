import type { Socket } from 'node:net';
import { describeFailure } from '../base/errors.ts';
import type { Libc } from '../native/libc.ts';
import { descriptor } from '../native/descriptor.ts';
import { faultOnPath } from '../native/path-owners.ts';
import { ConnectionError } from './connection-error.ts';

/** Methods whose params are secret: a PIN, an API key, keys. */
const secretMethods: ReadonlySet<string> = new Set([
  'authenticate',
  'unlock',
  'import_key',
  'restore',
]);

type Native = Pick<Libc, 'peerCredentials' | 'userId'>;

/**
 * To whom secrets are sent: a listener of root, of this user, or of the user that the agent is said to run as; and where
 * nobody but root and this user could have put the socket there, whoever listens.
 */
export class TrustedListener {
  readonly #path: string;
  readonly #agentUser: string | number | null;
  readonly #looked = new WeakMap<Socket, ConnectionError | null>();
  /** null: this platform has no way to ask for the peer, and only the place of the socket says who may listen. */
  #native: Native | null = null;
  #loading: Promise<void> | null = null;

  /** `agentUser`: login name or uid; null: none is named. */
  constructor(path: string, agentUser: string | number | null) {
    this.#path = path;
    this.#agentUser = agentUser;
  }

  /** Before a secret is sent: then `refusal` can say whether it may. */
  prepare(): Promise<void> {
    this.#loading ??= this.#load();
    return this.#loading;
  }

  isSecret(method: string): boolean {
    return secretMethods.has(method);
  }

  /** Why no secret is sent on that connection; null where it may be. */
  refusal(socket: Socket): ConnectionError | null {
    let refusal = this.#looked.get(socket);
    if (refusal === undefined) {
      refusal = this.#look(socket);
      this.#looked.set(socket, refusal);
    }
    return refusal;
  }

  async #load(): Promise<void> {
    try {
      this.#native = (await import('../native/libc.ts')).openLibc();
    } catch {
      this.#native = null; // the place of the socket decides alone
    }
  }

  #look(socket: Socket): ConnectionError | null {
    const self = process.geteuid?.() ?? -1;
    const listener = this.#listenerOf(socket);
    if (listener !== null && [0, self, this.#agentUid()].includes(listener)) return null;
    const fault = this.#faultOfPlace(self);
    if (fault === null) return null;
    const who = listener === null ? 'cannot be told' : `is uid ${listener}, neither root nor you`;
    return new ConnectionError(
      'untrusted',
      `no secret was sent to ${this.#path}: who listens there ${who}, and somebody else could have put that socket ` +
        `there (${fault}). Where that is the user of the agent, name it: agentctl --agent-user, ` +
        'SIGNING_AGENT_USER, or agentUser',
    );
  }

  #listenerOf(socket: Socket): number | null {
    const fd = descriptor(socket);
    if (fd === null || this.#native === null) return null;
    try {
      return this.#native.peerCredentials(fd).uid;
    } catch {
      return null;
    }
  }

  #agentUid(): number | null {
    const named = this.#agentUser;
    if (named === null || typeof named === 'number') return named;
    return /^\d{1,10}$/.test(named) ? Number(named) : (this.#native?.userId(named) ?? null);
  }

  #faultOfPlace(self: number): string | null {
    try {
      // The connection is older than this look: in a sticky directory another socket may have come in its place.
      const fault = faultOnPath(this.#path, self, { sticky: 'fault' });
      return fault === null ? null : `${fault.path} ${fault.reason.replace(/: .*$/s, '')}`;
    } catch (failure) {
      return describeFailure(failure);
    }
  }
}
