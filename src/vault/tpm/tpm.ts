import { TpmReader } from '../../formats/tpm/bytes.ts';
import {
  decodeResponse,
  encodeCommand,
  type CommandAuthorization,
  type Response,
} from '../../formats/tpm/command.ts';
import { RH, SESSION } from '../../formats/tpm/constants.ts';
import { mayBeRetried, RC } from '../../formats/tpm/response-codes.ts';
import type { SessionUse, TpmSession } from './session.ts';
import { isCode, TpmError, TpmForged } from './tpm-error.ts';
import type { TpmWorld } from './tpm-world.ts';
import type { TpmTransport } from './transport/transport.ts';

/** A handle of a command, and the name of what it is of: the handle itself for a hierarchy or a PCR. */
export interface NamedHandle {
  readonly handle: number;
  readonly name: Uint8Array;
}

export interface Request {
  /** TPM_CC */
  readonly code: number;
  readonly handles: readonly NamedHandle[];
  readonly parameters?: Buffer;
  readonly answersHandle?: boolean;
}

/** Who speaks for one of the handles: a session, or a password, which anyone on the way can read and use. */
export type Authorization = (SessionUse & { readonly session: TpmSession }) | typeof emptyPassword;

/** For what has no authorisation value. */
export const emptyPassword = 'empty password';

export interface Answer {
  readonly handle: number;
  readonly parameters: TpmReader;
}

const mostAttempts = 10;
const firstPause = 5;
const longestPause = 500;

/** One TPM: sends commands, one at a time, and makes sure that answers are the TPM's. */
export class Tpm {
  readonly #transport: TpmTransport;
  readonly #world: Pick<TpmWorld, 'pause'>;
  #last: Promise<unknown> = Promise.resolve();
  #spoilt = false;

  constructor(transport: TpmTransport, world: Pick<TpmWorld, 'pause'>) {
    this.#transport = transport;
    this.#world = world;
  }

  get exclusive(): boolean {
    return this.#transport.exclusive;
  }

  /** Nothing can be said to it any more: the connection, or a session in it, is spoilt. */
  get spoilt(): boolean {
    return this.#spoilt;
  }

  /** Waits for what is under way. */
  async close(): Promise<void> {
    await this.#last;
    await this.#transport.close();
  }

  /**
   * Rejects with TpmError for a refusal, TpmForged for an answer that is not the TPM's, TpmFormatError for one that
   * is none, and as the transport does.
   */
  run(request: Request, authorizations: readonly Authorization[] = []): Promise<Answer> {
    const answer = this.#last.then(() => this.#run(request, authorizations));
    this.#last = answer.catch((failure: unknown) => {
      if (!(failure instanceof TpmError) || isOutOfStep(failure, authorizations)) {
        this.#spoilt = true;
      }
    });
    return answer;
  }

  async #run(request: Request, authorizations: readonly Authorization[]): Promise<Answer> {
    const { code, handles, answersHandle = false } = request;
    const given = request.parameters ?? Buffer.alloc(0);
    const content = { code, names: handles.map(({ name }) => name), parameters: given };
    let sent = given;
    const prepared = authorizations.map((each) => {
      if (each === emptyPassword) return { authorization: passwordEntry, accept: null };
      const { authorization, parameters, accept } = each.session.authorize(
        { ...content, parameters: sent },
        each,
      );
      sent = parameters;
      return { authorization, accept };
    });
    const command = encodeCommand({
      code,
      handles: handles.map(({ handle }) => handle),
      authorizations: prepared.map(({ authorization }) => authorization),
      parameters: sent,
    });
    const response = await this.#exchange(command, {
      answersHandle,
      sessions: authorizations.length,
    });
    if (response.code !== 0) throw new TpmError(code, response.code);
    let { parameters } = response;
    prepared.forEach(({ accept }, at) => {
      const entry = response.authorizations[at];
      if (entry === undefined) throw new TpmForged('an answer has too few sessions');
      if (accept !== null) parameters = accept(parameters, entry);
    });
    return {
      handle: response.handle ?? RH.NULL,
      parameters: new TpmReader(parameters, 'the answer of a TPM'),
    };
  }

  /** The same bytes again where the TPM says that it has done nothing yet. */
  async #exchange(
    command: Buffer,
    form: { readonly answersHandle: boolean; readonly sessions: number },
  ): Promise<Response> {
    for (let attempt = 1; ; attempt += 1) {
      const response = decodeResponse(await this.#transport.send(command), form);
      if (!mayBeRetried(response.code) || attempt === mostAttempts) return response;
      await this.#world.pause(Math.min(longestPause, firstPause * 2 ** (attempt - 1)));
    }
  }
}

/**
 * A refusal leaves session and connection as they were, if it is the TPM's: nothing proves that, no refusal has an HMAC.
 * Where an answer was lost behind another's refusal, the session is one nonce behind, and every authorisation of it is
 * refused from then on. A wrong password looks the same; another session costs little.
 */
function isOutOfStep(failure: TpmError, authorizations: readonly Authorization[]): boolean {
  const usesSession = authorizations.some((each) => each !== emptyPassword);
  return usesSession && isCode(failure, RC.BAD_AUTH, RC.AUTH_FAIL);
}

const passwordEntry: CommandAuthorization = {
  sessionHandle: RH.PASSWORD,
  nonce: Buffer.alloc(0),
  attributes: SESSION.CONTINUE,
  hmac: Buffer.alloc(0),
};
