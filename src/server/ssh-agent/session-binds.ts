import { hash } from 'node:crypto';
import { AgentError } from '../../base/errors.ts';
import { plainHostKey, readHostKey, requireCertified } from '../../formats/ssh/host-key.ts';
import { fingerprint } from '../../formats/ssh/public-key.ts';
import { blobVerifiesInPool } from '../../formats/ssh/verification-key.ts';
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

/** A session as a client tells it. */
export interface ClaimedBind {
  /** What it comes to where it is verified. */
  readonly bind: SessionBind;
  /**
   * Verifies it in the thread pool. Rejects with `invalid_params` where the host key has not signed the session id, with
   * SshFormatError where its certificate, or the signature, is none.
   */
  readonly verify: () => Promise<void>;
}

/** The content of a `session-bind@openssh.com` (OpenSSH's PROTOCOL.agent, section 1). Throws SshFormatError. */
export function readSessionBind(reader: SshReader): ClaimedBind {
  const hostKey = readHostKey(reader.string());
  const sessionId = reader.string();
  const signature = reader.string();
  const isForwarded = reader.boolean();
  reader.end();
  const host = fingerprint(hostKey.plain);
  return {
    bind: { host, session: hash('sha256', sessionId, 'hex'), isForwarded },
    async verify() {
      await requireCertified(hostKey);
      if (await blobVerifiesInPool(hostKey.key, signature, sessionId)) return;
      throw new AgentError('invalid_params', `host key ${host} has not signed that session id`);
    },
  };
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

  /**
   * Why a login over that session is not one of this connection; null where it is, or nothing was bound. `hostKey`: of
   * the server, where the login names it.
   */
  faultOfLogin(sessionId: Uint8Array, hostKey: Buffer | null): string | null {
    const last = this.#binds.at(-1);
    if (last === undefined) return null;
    if (last.session !== hash('sha256', sessionId, 'hex')) {
      return `the login is over another session than the connection is bound to, of ${bindText(last)}`;
    }
    if (last.isForwarded)
      return `the connection is forwarded over that session, of ${bindText(last)}`;
    const names = hostKey === null ? last.host : fingerprint(plainHostKey(hostKey));
    return names === last.host ? null : `the login names host ${names}, and not ${last.host}`;
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
