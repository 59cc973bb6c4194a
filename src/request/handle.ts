import { ZodError } from 'zod';
import type { AccessControl } from '../access/access-control.ts';
import { authorize, authorizeKeyring, authorizePurposes } from '../access/authorize.ts';
import type { Caller } from '../access/caller.ts';
import { peerForLog } from '../access/principal.ts';
import { CredentialError } from '../access/credential-error.ts';
import type { Shares } from '../access/share.ts';
import type { Audit, AuditEvent } from '../audit/audit.ts';
import { refuseReserved } from '../audit/chain/reserved.ts';
import { eventOf, issuesText, kindOf, outcomeOf, type RecordedCall } from './call-record.ts';
import { AgentError, describeFailure, quoted } from '../base/errors.ts';
import { fieldIssues } from './field-issues.ts';
import type { CheckedCall, Outcome } from './method.ts';
import type { Asked, Protocol } from './protocol.ts';
import type { Services } from './services.ts';
import type { World } from '../base/world.ts';

export interface RequestContext {
  readonly services: Services;
  readonly access: AccessControl;
  readonly shares: Shares;
  readonly audit: Audit;
  readonly admission: Admission;
  readonly world: World;
}

/** The agent's queue. */
export interface Admission {
  /** Throws `overloaded`, `shutting_down`. Every success is followed by one `leave`. */
  enter(caller: Caller): void;
  leave(caller: Caller, failed: boolean): void;
}

/**
 * The request path: decode → admit → authenticate → authorize → audit → act → answer. Takes one frame, answers one,
 * never rejects. How both are spelled is the protocol's; all between is the same for every one.
 */
export function handle<Request extends Asked<Result>, Answer, Result>(
  frame: Buffer,
  caller: Caller,
  context: RequestContext,
  protocol: Protocol<Request, Answer, Result>,
): Promise<Answer> {
  const decoded = protocol.decode(frame);
  if ('refusal' in decoded) return Promise.resolve(decoded.refusal);
  const { request } = decoded;
  try {
    context.admission.enter(caller);
  } catch (refusal) {
    const error = asAgentError(refusal, request, caller, context.world);
    return Promise.resolve(protocol.error(request, error));
  }
  return handleAdmitted(request, caller, context, protocol);
}

async function handleAdmitted<Request extends Asked<Result>, Answer, Result>(
  request: Request,
  caller: Caller,
  context: RequestContext,
  protocol: Protocol<Request, Answer, Result>,
): Promise<Answer> {
  let failed = true;
  try {
    const { result } = await answer(request, caller, context);
    failed = false;
    return protocol.result(request, result);
  } catch (failure) {
    return protocol.error(request, asAgentError(failure, request, caller, context.world));
  } finally {
    context.admission.leave(caller, failed);
  }
}

/** Up to the act nothing waits: what comes behind an `authenticate` goes by it. Throws as it rejects. */
function answer<Result>(
  request: Asked<Result>,
  caller: Caller,
  context: RequestContext,
): Promise<Outcome<Result>> {
  const call = callOf(request, caller);
  let checked: CheckedCall<Result>;
  try {
    checked = admitted(call, request, context);
  } catch (refusal) {
    return refused(call, refusal, context.audit);
  }
  return perform(call, checked, context);
}

async function refused(call: RecordedCall, refusal: unknown, audit: Audit): Promise<never> {
  await recordRefusal(call, refusal, audit);
  throw refusal;
}

function callOf<Result>({ name, method }: Asked<Result>, caller: Caller): RecordedCall<Result> {
  if (method === undefined) {
    throw new AgentError('method_not_found', `there is no method ${quoted(name)}`);
  }
  return { name, method, caller, grant: null, checked: null };
}

/** Who calls, whether the call is allowed, and what exactly it asks for. */
function admitted<Result>(
  call: RecordedCall<Result>,
  request: Asked,
  { access, services }: RequestContext,
): CheckedCall<Result> {
  const { name, method, caller } = call;
  call.grant = method.beforeCredential ? access.grantOrNone(caller) : access.grant(caller);
  authorize(call.grant, name, method);
  const asked = method.check(request.params, services, { caller, grant: call.grant });
  const checked =
    method.reach === 'cluster' ? { ...asked, keyring: services.clusterKeyring() } : asked;
  call.checked = checked;
  const { keyring } = checked;
  if (keyring !== null) {
    authorizeKeyring(call.grant, name, method, keyring);
    authorizePurposes(call.grant, name, method, keyring, checked);
  }
  refuseReserved(checked.messages);
  // Whoever shows a right key is told once a minute and counted; a wrong one is held back, and refusals have a budget.
  const isCounted = method.effect !== 'reads' && !method.beforeCredential;
  if (isCounted) access.takeOperation(caller, call.grant, checked.signatures);
  if (checked.signatures > 0) access.takeSignatures(call.grant, checked.signatures);
  return checked;
}

async function recordRefusal(
  call: RecordedCall,
  refusal: unknown,
  audit: Audit,
  repeats?: AuditEvent['repeats'],
): Promise<void> {
  const kind = kindOf(refusal);
  const isAccess = kind === 'unauthenticated' || kind === 'forbidden';
  if (!isAccess && call.method.effect === 'reads') return;
  await audit.record(eventOf(call, 'refused', { failure: refusal, repeats }));
}

/** Throws as it rejects. */
function perform<Result>(
  call: RecordedCall<Result>,
  checked: CheckedCall<Result>,
  { services, audit, world }: RequestContext,
): Promise<Outcome<Result>> {
  const { method, caller, grant } = call;
  if (grant === null) throw new Error('a call is performed before it was authorized');
  const doIt = (): Acting<Result> => checked.act(services, { caller, grant });
  const act = method.isUrgent ? () => world.files.urgently(async () => doIt()) : doIt;
  switch (method.effect) {
    case 'reads':
      return actUnlessRefused(call, act, audit);
    case 'signs':
      audit.requireReady();
      return actThenRecord(call, act, audit, () => checked.undo?.(services, { caller, grant }));
    case 'changes':
      return recordThenAct(
        call,
        { foresee: () => checked.foresee?.(services, { caller, grant }), act },
        audit,
        world,
      );
  }
}

type Acting<Result> = Outcome<Result> | Promise<Outcome<Result>>;

/** Some are allowed by what they are about, which the act alone can tell: whose a client key is. */
async function actUnlessRefused<Result>(
  call: RecordedCall,
  act: () => Acting<Result>,
  audit: Audit,
): Promise<Outcome<Result>> {
  try {
    return await act();
  } catch (refusal) {
    await recordRefusal(call, refusal, audit);
    throw refusal;
  }
}

/** What was made leaves only when it is recorded; where it cannot be, it is thrown away or taken back. */
async function actThenRecord<Result>(
  call: RecordedCall,
  act: () => Acting<Result>,
  audit: Audit,
  undo: () => void,
): Promise<Outcome<Result>> {
  let came: Outcome<Result>;
  try {
    came = await act();
  } catch (failure) {
    await audit.record(eventOf(call, outcomeOf(failure), { failure }));
    throw failure;
  }
  if (!audit.isOn || came.recorded === 'never') return came;
  const repeats = came.recorded === 'once' ? 'folded' : undefined;
  try {
    await audit.record(eventOf(call, 'done', { came, repeats }));
  } catch (failure) {
    undo();
    throw failure;
  }
  return came;
}

/** What would change nothing is counted, and has no record of its own. */
async function lookAhead(call: RecordedCall, look: () => void, audit: Audit): Promise<void> {
  try {
    look();
  } catch (refusal) {
    const repeats = kindOf(refusal) === 'already_exists' ? 'counted' : undefined;
    await recordRefusal(call, refusal, audit, repeats);
    throw refusal;
  }
}

/** Nothing is changed before it is recorded that it will be. */
async function recordThenAct<Result>(
  call: RecordedCall,
  { foresee, act }: { readonly foresee: () => void; readonly act: () => Acting<Result> },
  audit: Audit,
  world: World,
): Promise<Outcome<Result>> {
  await lookAhead(call, foresee, audit);
  const of = await audit.record(eventOf(call, 'begun', {}));
  try {
    const came = await act();
    world.log.info(
      { ...logged(call.name, call.caller), keyring: call.checked?.keyring },
      'changed',
    );
    await audit.recordSurely(eventOf(call, 'done', { came, of }));
    return came;
  } catch (failure) {
    await audit.recordSurely(eventOf(call, outcomeOf(failure), { failure, of }));
    throw failure;
  }
}

/** What the log says of every request that it names. */
function logged(method: string, { peer, credential }: Caller): Record<string, unknown> {
  return { method, ...peerForLog(peer), api_key: credential?.id };
}

/** What leaves the process of a failure: all of one that was foreseen, an id of one that was not. */
function asAgentError(failure: unknown, request: Asked, caller: Caller, world: World): AgentError {
  if (failure instanceof ZodError) {
    const issues = fieldIssues(failure);
    return new AgentError('invalid_params', issuesText(issues), { details: { issues } });
  }
  const where = logged(request.name, caller);
  if (failure instanceof AgentError && failure.kind !== 'internal') {
    const reason = failure instanceof CredentialError ? failure.reason : failure.message;
    world.log.debug({ ...where, kind: failure.kind, reason }, 'refused');
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
