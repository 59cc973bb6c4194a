import type * as z from 'zod';
import type { ResultOf } from '../../../api/method-types.ts';
import type { MethodName } from '../../../api/methods.ts';
import { agentResults } from './agent-results.ts';
import { clusterResults } from './cluster-results.ts';
import { formatResults } from './format-results.ts';
import { keyringResults } from './keyring-results.ts';
import { registryResults } from './registry-results.ts';

/**
 * Without what JSON does not tell: who may write to it, and members that are never there. Whether a
 * member may be absent stands beside it: two types differ where one of them lacks a member that the other may lack.
 */
type Plain<T> = T extends readonly (infer Element)[]
  ? Plain<Element>[]
  : T extends object
    ? [keyof PlainMembers<T>] extends [never]
      ? 'no members'
      : PlainMembers<T>
    : T;
type PlainMembers<T> = {
  -readonly [Name in keyof T as IsNever<T[Name]> extends true ? never : Name]-?: {
    is: Plain<Exclude<T[Name], undefined>>;
    mayBeAbsent: Partial<Pick<T, Name>> extends Pick<T, Name> ? true : false;
  };
};
type IsNever<T> = [Exclude<T, undefined>] extends [never] ? true : false;
type IsSame<A, B> = [A, B] extends [B, A] ? true : false;

/** Whether a schema is exactly the result that the method is typed with. */
export type IsResultOf<Name extends MethodName, Schema extends z.ZodType> = IsSame<
  Plain<z.output<Schema>>,
  Plain<ResultOf<Name>>
>;

/** `never` for a schema that is another result, and for a name that the catalogue does not have. */
type Typed<Table extends Readonly<Record<MethodName, z.ZodType>>> = {
  readonly [Name in keyof Table]: Name extends MethodName
    ? IsResultOf<Name, Table[Name]> extends true
      ? Table[Name]
      : never
    : never;
};

/**
 * The results of all methods as schemas. That they are the types which agent and client are written with is checked by
 * the compiler; that answers are like that, by tests.
 */
export const results: Readonly<Record<MethodName, z.ZodType>> = typed({
  ...agentResults,
  ...keyringResults,
  ...formatResults,
  ...registryResults,
  ...clusterResults,
});

function typed<Table extends Readonly<Record<MethodName, z.ZodType>>>(
  table: Table & Typed<Table>,
): Table {
  return table;
}
