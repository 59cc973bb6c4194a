import { ZodError } from 'zod';
import { authorize } from './access/authorize.ts';
import type { Principal } from './access/principal.ts';
import { AgentError, describeFailure, quoted } from './errors.ts';
import { errorAnswer, resultAnswer } from './protocol/answer.ts';
import { fieldIssues } from './protocol/fields.ts';
import { methods, type Services } from './protocol/methods.ts';
import { decodeRequest, type Request } from './protocol/request.ts';
import type { World } from './world.ts';

export interface RequestContext {
  readonly services: Services;
  readonly admission: Admission;
  readonly world: World;
}

/** The agent's queue. */
export interface Admission {
  /** Throws `overloaded`. Every success is followed by one `leave`. */
  enter(): void;
  leave(failed: boolean): void;
}

/**
 * The request path: decode → admit → authorize → act → answer. The caller was authenticated when it
 * connected. Takes one frame, answers one line without its newline, never rejects.
 */
export async function handle(
  frame: Uint8Array,
  caller: Principal,
  context: RequestContext,
): Promise<string> {
  const decoded = decodeRequest(frame);
  if ('refusal' in decoded) return errorAnswer(decoded.id, decoded.refusal);
  const { request } = decoded;
  let failed = true;
  try {
    context.admission.enter();
  } catch (refusal) {
    return errorAnswer(request.id, asAgentError(refusal, request, caller, context.world));
  }
  try {
    const result = await act(request, caller, context.services);
    const answer = resultAnswer(request.id, result);
    failed = false;
    return answer;
  } catch (failure) {
    return errorAnswer(request.id, asAgentError(failure, request, caller, context.world));
  } finally {
    context.admission.leave(failed);
  }
}

async function act(request: Request, caller: Principal, services: Services): Promise<unknown> {
  const method = methods.get(request.method);
  if (method === undefined) {
    throw new AgentError('method_not_found', `there is no method ${quoted(request.method)}`);
  }
  authorize(caller, method.scope, request.method);
  return method.act(request.params, services, caller);
}

/** What leaves the process of a failure: all of one that was foreseen, an id of one that was not. */
function asAgentError(
  failure: unknown,
  request: Request,
  caller: Principal,
  world: World,
): AgentError {
  if (failure instanceof ZodError) {
    const issues = fieldIssues(failure);
    const text = issues.map(({ field, message }) => `${field}: ${message}`).join('; ');
    return new AgentError('invalid_params', text, { details: { issues } });
  }
  const where = { method: request.method, uid: caller.uid, pid: caller.pid };
  if (failure instanceof AgentError && failure.kind !== 'internal') {
    world.log.debug({ ...where, kind: failure.kind, reason: failure.message }, 'refused');
    return failure;
  }
  const errorId = world.randomBytes(8).toString('hex');
  world.log.error(
    { ...where, error_id: errorId, reason: describeFailure(failure), err: failure },
    'a request failed by a fault of the agent',
  );
  return new AgentError('internal', `the agent failed; its log has the details under ${errorId}`, {
    details: { error_id: errorId },
  });
}
