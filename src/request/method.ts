import { z } from 'zod';
import type { Needs } from '../access/authorize.ts';
import type { Caller } from '../access/caller.ts';
import type { Grant } from '../access/principal.ts';
import type { Services } from './services.ts';

/**
 * `reads`: recorded only where access refuses it. `signs`: recorded when it is made, before it is answered.
 * `changes`: recorded before it is done, and once more when it is done.
 */
export type Effect = 'reads' | 'signs' | 'changes';

/** Who calls, with what he may do, and over which connection. */
export interface CallContext {
  readonly caller: Caller;
  readonly grant: Grant;
}

/** A call whose params were checked. */
export interface CheckedCall {
  /** The keyring that it acts on; null where it acts on none, or on the cluster's. */
  readonly keyring: string | null;
  /** What is to be signed, as far as the params say it. */
  readonly messages: readonly Uint8Array[];
  /** How many signatures it makes. */
  readonly signatures: number;
  /** The key that the params name. */
  readonly kid: string | null;
  /** What else the params name: an API key, a client key. */
  readonly subject: string | null;
  readonly act: (services: Services, context: CallContext) => Promise<unknown>;
  /** Undoes what was done and could not be recorded. */
  readonly takeBack: ((services: Services, context: CallContext) => void) | null;
}

/** One entry of the method table. Without a scope and a reach there is none: neither has a default. */
export interface Method extends Needs {
  readonly effect: Effect;
  /** Called although the connection's API key is accepted no more; true of `authenticate` alone. */
  readonly beforeCredential: boolean;
  /** Throws for params that do not fit: a ZodError, or an AgentError. */
  readonly check: (params: unknown, services: Services, caller: Caller) => CheckedCall;
  /** The key that the result names. */
  readonly kidOf: (result: unknown) => string | null;
  /** What was signed, where the params do not say it. */
  readonly signedOf: (result: unknown) => readonly Uint8Array[] | null;
  /** What the record says of a result that is not all that was asked for. */
  readonly reasonOf: (result: unknown) => string | null;
}

interface Definition<S extends z.core.$ZodLooseShape, Result> extends Needs {
  readonly effect: Effect;
  readonly beforeCredential?: true;
  readonly params: S;
  readonly act: (
    params: z.output<z.ZodObject<S>>,
    services: Services,
    context: CallContext,
  ) => Result;
  readonly takeBack?: (services: Services, context: CallContext) => void;
  /** For the record. */
  readonly messages?: (params: z.output<z.ZodObject<S>>) => readonly Uint8Array[];
  /** How many signatures it makes, where it is not one a message of `messages`. */
  readonly signatures?: number;
  readonly subject?: (params: z.output<z.ZodObject<S>>) => string | null;
  readonly resultSigned?: (result: Awaited<Result>) => readonly Uint8Array[];
  readonly resultKid?: (result: Awaited<Result>) => string | null;
  readonly resultReason?: (result: Awaited<Result>) => string | null;
}

/** An entry of the table, of what is typed by its own params. */
export function method<S extends z.core.$ZodLooseShape, Result>(
  definition: Definition<S, Result>,
): Method {
  const { scope, reach, effect, beforeCredential = false, act, messages, subject } = definition;
  const schema = z.strictObject(definition.params);
  return {
    scope,
    reach,
    effect,
    beforeCredential,
    check(given) {
      const params = schema.parse(given);
      const { keyring, kid } = params as { readonly keyring?: unknown; readonly kid?: unknown };
      const toSign = messages?.(params) ?? [];
      return {
        keyring: reach === 'keyring' && typeof keyring === 'string' ? keyring : null,
        messages: toSign,
        signatures: definition.signatures ?? toSign.length,
        kid: typeof kid === 'string' ? kid : null,
        subject: subject?.(params) ?? null,
        act: async (services, context) => await act(params, services, context),
        takeBack: definition.takeBack ?? null,
      };
    },
    signedOf: (result) => definition.resultSigned?.(result as Awaited<Result>) ?? null,
    kidOf: (result) => definition.resultKid?.(result as Awaited<Result>) ?? null,
    reasonOf: (result) => definition.resultReason?.(result as Awaited<Result>) ?? null,
  };
}
