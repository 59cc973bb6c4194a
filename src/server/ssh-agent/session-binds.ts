import { hash } from 'node:crypto';
import { AgentError } from '../../base/errors.ts';
import { readHostKey } from '../../formats/ssh/host-key.ts';
import { fingerprint } from '../../formats/ssh/public-key.ts';
import { blobVerifies } from '../../formats/ssh/verification-key.ts';
import type { SshReader } from '../../formats/ssh/wire.ts';

/** An SSH session that the connection is used over. */
export interface SessionBind {
  /** Fingerprint of the host key, of the key itself where the host showed a certificate. */
  readonly host: string;
  /** SHA-256 of the session id: ids may be as long as a message. */
  readonly session: string;
  /** True: the connection is forwarded to that host. False: it authenticates to it. */
  readonly isForwarded: boolean;
}

/** As many as OpenSSH takes of one connection. */
const mostBinds = 16;

/**
 * The content of a `session-bind@openssh.com` (OpenSSH's PROTOCOL.agent, section 1). Throws `invalid_params` where the
 * host key has not signed the session id, SshFormatError for what is none.
 */
export function readSessionBind(reader: SshReader): SessionBind {
  const { plain, key } = readHostKey(reader.string());
  const sessionId = reader.string();
  const signature = reader.string();
  const isForwarded = reader.boolean();
  reader.end();
  const host = fingerprint(plain);
  if (!blobVerifies(key, signature, sessionId)) {
    throw new AgentError('invalid_params', `host key ${host} has not signed that session id`);
  }
  return { host, session: hash('sha256', sessionId, 'hex'), isForwarded };
}

/** For the record. */
export function bindText({ host, isForwarded }: SessionBind): string {
  return isForwarded ? `host ${host} (forwarded)` : `host ${host}`;
}

/** The sessions of one connection, by the rules of OpenSSH's ssh-agent. */
export class SessionBinds {
  #binds: readonly SessionBind[] = [];
  #subject: string | null = null;

  /** Every session, in the order in which the connection was forwarded; null where none was bound. */
  get subject(): string | null {
    return this.#subject;
  }

  /**
   * False: the connection is bound to that session already. Throws `already_exists` where the connection authenticates to a host already, or the session is another host's;
   * `too_large` with `limit` beyond so many.
   */
  add(bind: SessionBind): boolean {
    for (const { host, session, isForwarded } of this.#binds) {
      if (!isForwarded) throw refusal('the connection is bound to where it authenticates already');
      if (session !== bind.session) continue;
      if (host === bind.host) return false;
      throw refusal('that session is bound to another host key');
    }
    if (this.#binds.length >= mostBinds) {
      const message = `a connection is bound to at most ${mostBinds} sessions`;
      throw new AgentError('too_large', message, { details: { limit: mostBinds } });
    }
    this.#set([...this.#binds, bind]);
    return true;
  }

  remove(bind: SessionBind): void {
    this.#set(this.#binds.filter((one) => one !== bind));
  }

  #set(binds: readonly SessionBind[]): void {
    this.#binds = binds;
    this.#subject = binds.length === 0 ? null : binds.map(bindText).join(', ');
  }
}

function refusal(why: string): AgentError {
  return new AgentError('already_exists', why);
}
