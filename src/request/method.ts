import * as z from 'zod';
import type { Needs, Reach } from '../access/authorize.ts';
import type { Caller } from '../access/caller.ts';
import type { Grant } from '../access/grant.ts';
import type { Purpose } from '../access/purposes.ts';
import type { Effect } from '../api/methods.ts';
import type { Services } from './services.ts';

/** Who calls, with what the caller may do, and over which connection. */
export interface CallContext {
  readonly caller: Caller;
  readonly grant: Grant;
}

/** What an act came to: the answer, and what the audit record says of it. */
export interface Outcome<Result = unknown> {
  readonly result: Result;
  /** The key that was used or made; null: none, or the one that the params name. */
  readonly kid: string | null;
  /** What was signed; null: what the params say. */
  readonly signed: readonly Uint8Array[] | null;
  /** Of a result that is not all that was asked for: what is missing. */
  readonly reason: string | null;
  /**
   * Of what signs no message. `never`: it changed nothing. `once`: equal ones of the caller that follow within a minute
   * are counted.
   */
  readonly recorded: 'always' | 'once' | 'never';
}

/** An outcome of which the record says what is given here, and nothing else. */
export function outcome<Result>(
  result: Result,
  given: Partial<Omit<Outcome, 'result'>> = {},
): Outcome<Result> {
  const { kid = null, signed = null, reason = null, recorded = 'always' } = given;
  return { result, kid, signed, reason, recorded };
}

/** A call whose params were checked. */
export interface CheckedCall<Result = unknown> {
  /** The keyring that it acts on; null where it acts on none, or on the cluster's. */
  readonly keyring: string | null;
  /** What is to be signed, as far as the params say it. */
  readonly messages: readonly Uint8Array[];
  /** How many signatures it makes. */
  readonly signatures: number;
  /** What for: the caller and the keyring must have all of them. Empty: no key of a keyring signs. */
  readonly purposes: readonly Purpose[];
  /** What the caller's own words in it amount to; null: what the messages are, where they are signed as they are. */
  readonly content: readonly Purpose[] | null;
  /** The key that the params name. */
  readonly kid: string | null;
  /** What else the params name: an API key, a client key. */
  readonly subject: string | null;
  /** Throws as it rejects. */
  readonly act: (
    services: Services,
    context: CallContext,
  ) => Outcome<Result> | Promise<Outcome<Result>>;
  /** Undoes what was done and could not be recorded. */
  readonly undo: ((services: Services, context: CallContext) => void) | null;
  /** Of a change: throws, before it is recorded that it is begun, where it is known that it would change nothing. */
  readonly foresee?: ((services: Services, context: CallContext) => void) | null;
}

/** One entry of a table of methods. Without a scope and a reach there is none: neither has a default. */
export interface Method<Result = unknown> extends Needs {
  readonly effect: Effect;
  /** Called although the connection's API key is accepted no more; true of `authenticate` alone. */
  readonly beforeCredential: boolean;
  /** Takes something back: it is recorded and done on a disk that others have filled, in space held in reserve. */
  readonly isUrgent: boolean;
  /** Throws for params that do not fit: a ZodError, or an AgentError. */
  readonly check: (
    params: unknown,
    services: Services,
    context: CallContext,
  ) => CheckedCall<Result>;
}

/** A method of the wire, without what the catalogue says of it. */
export interface MethodEntry<Schema extends z.ZodType = z.ZodType, Result = unknown> extends Omit<
  Method<Result>,
  'effect'
> {
  readonly params: Schema;
  /** As `check`, of params that are known to be as the schema leaves them. */
  checked(params: z.output<Schema>): CheckedCall<Result>;
  /** What the keyring's keys sign for, where the params do not say it; null: they sign nothing for the caller. */
  readonly purpose: Purpose | ((params: never) => Purpose) | null;
}

/** What a method that reaches a keyring has its keys sign for. There is no default: none can forget it. */
type Purposes<Params> =
  | {
      readonly reach: Extract<Reach, 'keyring' | 'cluster'>;
      /** null: it signs nothing by them, or what a device signs of itself. */
      readonly purpose: Purpose | ((params: Params) => Purpose) | null;
    }
  | { readonly reach: Exclude<Reach, 'keyring' | 'cluster'>; readonly purpose?: never };

type Definition<S extends z.core.$ZodLooseShape, Result> = Omit<Needs, 'reach'> &
  Purposes<z.output<z.ZodObject<S>>> &
  Said<S, Result>;

interface Said<S extends z.core.$ZodLooseShape, Result> {
  readonly beforeCredential?: true;
  readonly isUrgent?: true;
  readonly params: S;
  readonly act: (
    params: z.output<z.ZodObject<S>>,
    services: Services,
    context: CallContext,
  ) => Outcome<Result> | Promise<Outcome<Result>>;
  readonly undo?: (services: Services, context: CallContext) => void;
  readonly foresee?: (
    params: z.output<z.ZodObject<S>>,
    services: Services,
    context: CallContext,
  ) => void;
  /** For the record. */
  readonly messages?: (params: z.output<z.ZodObject<S>>) => readonly Uint8Array[];
  /** How many signatures it makes, where it is not one a message of `messages`. */
  readonly signatures?: number;
  /** See CheckedCall. */
  readonly content?: (params: z.output<z.ZodObject<S>>) => readonly Purpose[];
  readonly subject?: (params: z.output<z.ZodObject<S>>) => string | null;
}

/** An entry of the table, of what is typed by its own params. */
export function method<S extends z.core.$ZodLooseShape, Result>(
  definition: Definition<S, Result>,
): MethodEntry<z.ZodObject<S, z.core.$strict>, Result> {
  const { scope, reach, beforeCredential = false, isUrgent = false } = definition;
  const { act, foresee, messages, subject, purpose = null, content } = definition;
  const schema = z.strictObject(definition.params);
  const checked = (params: z.output<typeof schema>): CheckedCall<Result> => {
    const { keyring, kid } = params as { readonly keyring?: unknown; readonly kid?: unknown };
    const toSign = messages?.(params) ?? [];
    return {
      keyring: reach === 'keyring' && typeof keyring === 'string' ? keyring : null,
      messages: toSign,
      signatures: definition.signatures ?? toSign.length,
      purposes: purpose === null ? [] : [typeof purpose === 'string' ? purpose : purpose(params)],
      content: content?.(params) ?? null,
      kid: typeof kid === 'string' ? kid : null,
      subject: subject?.(params) ?? null,
      act: (services, context) => act(params, services, context),
      undo: definition.undo ?? null,
      foresee:
        foresee === undefined
          ? null
          : (services, context) => {
              foresee(params, services, context);
            },
    };
  };
  return {
    scope,
    reach,
    beforeCredential,
    isUrgent,
    params: schema,
    purpose,
    checked,
    check: (given) => checked(schema.parse(given)),
  };
}
