import type { AgentError } from '../base/errors.ts';
import type { Method } from './method.ts';

/** A request as its protocol has read it. */
export interface Asked<Result = unknown> {
  readonly name: string;
  /** undefined: there is none of that name. */
  readonly method: Method<Result> | undefined;
  /** The method's to check. */
  readonly params: unknown;
}

/** How requests and answers are spelled. */
export interface Protocol<Request extends Asked<Result>, Answer, Result = unknown> {
  /** Reads one frame; `refusal`: the answer to one that is no request. Never throws. */
  decode(frame: Buffer): { readonly request: Request } | { readonly refusal: Answer };
  /** The answer to a request whose method has answered this. */
  result(request: Request, result: Result): Answer;
  error(request: Request, error: AgentError): Answer;
}
