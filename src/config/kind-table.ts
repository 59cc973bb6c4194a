import * as z from 'zod';
import type { BackendName } from '../api/signing-backend.ts';
import type { TableKeys } from '../vault/kind.ts';
import { duration } from './fields.ts';

/** What `KeyFields` of vault/kind.ts has of zod. */
const forKinds = { array: z.array, boolean: z.boolean, int: z.int, string: z.string };

/** A table of the file in which one key names a kind of backend, and that kind says which other keys there are. */
export interface KindTableOptions {
  /** The key that names it; without it the first kind counts. */
  readonly by: string;
  /** The keys that stand beside every kind. */
  readonly common: z.ZodRawShape;
  /** In the order of the table of kinds. */
  readonly kinds: ReadonlyMap<BackendName, TableKeys<z.ZodRawShape>>;
  /** What is wrong with common keys beside this kind. */
  readonly check?: (
    backend: BackendName,
    given: Readonly<Record<string, unknown>>,
  ) => readonly { readonly path: readonly string[]; readonly message: string }[];
  /** Whose a key is, for people: completes "only ". */
  readonly owner: (backends: readonly BackendName[]) => string;
}

export class KindTable<Out> {
  readonly schema: z.ZodType<Out>;
  /** Of every kind: what a mistyped key may have been meant as. */
  readonly knownKeys: readonly string[];
  readonly #options: KindTableOptions;

  constructor(options: KindTableOptions) {
    this.#options = options;
    const { by, common, kinds } = options;
    const shapes = [...kinds].map(
      ([backend, { shape }]) => [backend, shape({ z: forKinds, duration })] as const,
    );
    this.knownKeys = [
      ...new Set([by, ...Object.keys(common), ...shapes.flatMap(([, own]) => Object.keys(own))]),
    ];
    const [first, ...others] = shapes.map(([backend, own]) => this.#member(backend, own));
    if (first === undefined) throw new RangeError('there is no kind of backend');
    const names = [...kinds.keys()];
    const choices = names.map((name) => `"${name}"`).join('|');
    const union = z.discriminatedUnion(by, [first, ...others], {
      error: ({ input }) =>
        typeof input === 'object' ? `Invalid option: expected one of ${choices}` : undefined,
    });
    // Each member has the common keys, its own and the name of its kind, which is what `Out` is made of.
    this.schema = z.preprocess(
      (given) => withDefault(given, by, names[0]),
      union,
    ) as unknown as z.ZodType<Out>;
  }

  /** Why a key is refused that another kind has; null for one that none has. */
  refusal(key: string): string | null {
    const { kinds, owner } = this.#options;
    const having = [...kinds].filter(([, { nouns }]) => Object.hasOwn(nouns, key));
    const noun = having[0]?.[1].nouns[key];
    if (noun === undefined) return null;
    return `only ${owner(having.map(([backend]) => backend))} has ${noun}`;
  }

  #member(backend: BackendName, own: z.ZodRawShape) {
    const { by, common, check } = this.#options;
    const member = z.strictObject({ ...common, [by]: z.literal(backend), ...own });
    return member.superRefine((given, context) => {
      for (const { path, message } of check?.(backend, given) ?? []) {
        context.addIssue({ code: 'custom', path: [...path], message });
      }
    });
  }
}

function withDefault(given: unknown, by: string, backend: BackendName | undefined): unknown {
  if (typeof given !== 'object' || given === null || Array.isArray(given)) return given;
  return Object.hasOwn(given, by) ? given : { ...given, [by]: backend };
}
