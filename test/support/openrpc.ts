import { createRequire } from 'node:module';
import { Ajv, type ValidateFunction } from 'ajv';
import type { OpenRpcDocument } from '../../src/api/discovery.ts';
import { parseTime } from '../../src/base/rfc3339.ts';
import { openRpcDocument } from '../../src/request/discovery/openrpc.ts';

/** One method of the document, as it is read by whoever makes a client of it. */
export interface DocumentedMethod {
  readonly name: string;
  readonly summary: string;
  readonly params: readonly {
    readonly name: string;
    readonly description: string;
    readonly required: boolean;
    readonly schema: object;
  }[];
  readonly result: { readonly schema: object };
  readonly errors: readonly { readonly $ref: string }[];
  readonly 'x-scope': string;
  readonly 'x-reach': string;
  readonly 'x-effect': string;
  readonly 'x-purpose': string | null;
}

const formats = {
  'date-time': (text: string) => parseTime(text) !== null,
  regex: (text: string) => RegExp(text).source !== '',
  uri: (text: string) => URL.canParse(text),
  'uri-reference': (text: string) => URL.canParse(text, 'https://localhost/'),
};

const require = createRequire(import.meta.url);

/** The types of these packages are of what the schemas describe, and not of what they export. */
function schemaIn(exported: unknown): { readonly $id: string } {
  return (exported as { readonly default: { readonly $id: string } }).default;
}

/** The document of these sources. */
export function documentOf(version: string): Promise<OpenRpcDocument> {
  return openRpcDocument(version, () => Promise.resolve());
}

export function methodsOf(document: OpenRpcDocument): readonly DocumentedMethod[] {
  return document.methods as unknown as readonly DocumentedMethod[];
}

/** By the schema that OpenRPC's authors publish for documents. Nothing is fetched: what it refers to is a package too. */
export function openRpcValidator(): ValidateFunction {
  const jsonSchema = schemaIn(require('@json-schema-tools/meta-schema'));
  const metaSchema = schemaIn(require('@open-rpc/meta-schema'));
  // Both are draft 7, and say that they are written in a vocabulary of their own.
  const draft7 = { $schema: 'http://json-schema.org/draft-07/schema#' };
  const name = jsonSchema.$id;
  return (
    new Ajv({ formats, strict: false })
      .addSchema({ ...jsonSchema, ...draft7 })
      // The one names the other without the slash that its name ends with.
      .addSchema({ $ref: name }, name.replace(/\/$/, ''))
      .compile({ ...metaSchema, ...draft7 })
  );
}

/** By a schema of the document. Throws for one that is no JSON Schema. */
export function validator(schema: object): ValidateFunction {
  return new Ajv({ formats }).compile(schema);
}

/** What the document says of a method's params, as a schema of all of them. */
export function paramsSchema({ params }: DocumentedMethod): object {
  return {
    type: 'object',
    properties: Object.fromEntries(params.map(({ name, schema }) => [name, schema])),
    required: params.filter(({ required }) => required).map(({ name }) => name),
    additionalProperties: false,
  };
}
