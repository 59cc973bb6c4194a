import * as z from 'zod';
import type { OpenRpcDocument } from '../../api/discovery.ts';
import type { JsonObject } from '../../api/jwt.ts';
import { methodCatalogue, type MethodFacts, type MethodName } from '../../api/methods.ts';
import { errorCodes, type ErrorKind } from '../../base/errors.ts';
import { entries } from '../methods/methods.ts';
import { results } from './results/results.ts';
import { errorTexts } from './texts/error-texts.ts';
import { paramTexts } from './texts/method-text.ts';
import { errorsOf, methodTexts, ownParamText } from './texts/texts.ts';

const description =
  'JSON-RPC 2.0 over a Unix stream socket, one JSON object a line. Params go by name. Binary data is base64url ' +
  'without padding; padded and standard base64 are read too. Times are RFC 3339 in UTC, durations whole seconds. ' +
  'Results may have more members in a later version. ' +
  'Members that begin with x- say what OpenRPC has no word for: x-scope, the scope that a caller needs; x-reach, ' +
  'what the method acts on (keyring, cluster, agent, caller); x-effect (reads, signs, changes); x-purpose, what the ' +
  "keyring's key signs for; x-repeatable, whether a call may be sent once more where its answer was lost, and " +
  'x-shown-by, the method that shows what became of it otherwise. x-errors says of each kind of error whether making ' +
  'the same call again helps, and what an operator does.';

/**
 * The protocol as a document: the methods with the schemas that check their params, the schemas of their results,
 * and the kinds of errors. `version`: the agent's. `pause` resolves when others have had their turn: it is called
 * between methods, since all of them at once take 16 ms.
 */
export async function openRpcDocument(
  version: string,
  pause: () => Promise<void>,
): Promise<OpenRpcDocument> {
  const methods: JsonObject[] = [];
  for (const name of Object.keys(methodCatalogue) as MethodName[]) {
    methods.push(methodObject(name));
    await pause();
  }
  return {
    openrpc: '1.3.2',
    info: { title: 'signing-agent', version, description },
    methods,
    components: { errors: ofEachKind(errorObject) },
    'x-errors': ofEachKind(adviceOn),
  };
}

function methodObject(name: MethodName): JsonObject {
  const { scope, reach, params } = entries[name];
  const { effect, shownBy }: MethodFacts = methodCatalogue[name];
  return {
    name,
    summary: methodTexts[name].summary,
    paramStructure: 'by-name',
    params: paramsOf(name, schemaOf(params)),
    result: { name: 'result', schema: schemaOf(results[name]) },
    errors: [...errorsOf(name, { scope, effect })].map((kind) => ({
      $ref: `#/components/errors/${kind}`,
    })),
    'x-scope': scope,
    'x-reach': reach,
    'x-effect': effect,
    'x-purpose': purposeOf(name),
    'x-repeatable': shownBy === null,
    ...(shownBy === null ? {} : { 'x-shown-by': shownBy.method }),
  };
}

function paramsOf(name: MethodName, schema: JsonObject): readonly JsonObject[] {
  const { properties, required = [] } = schema as {
    readonly properties: Readonly<Record<string, JsonObject>>;
    readonly required?: readonly string[];
  };
  return Object.entries(properties).map(([param, of]) => ({
    name: param,
    description: ownParamText(name, param) ?? paramTexts[param],
    required: required.includes(param),
    schema: of,
  }));
}

/** Where params say it, the member that does in capitals: `sshsig:NAMESPACE`. */
function purposeOf(name: MethodName): string | null {
  const { purpose } = entries[name];
  if (typeof purpose !== 'function') return purpose;
  const named = new Proxy({}, { get: (_, member) => String(member).toUpperCase() });
  return purpose(named as never);
}

function ofEachKind(make: (kind: ErrorKind) => JsonObject): Readonly<Record<string, JsonObject>> {
  return Object.fromEntries(
    (Object.keys(errorCodes) as ErrorKind[]).map((kind) => [kind, make(kind)]),
  );
}

function errorObject(kind: ErrorKind): JsonObject {
  const { meaning, data } = errorTexts[kind];
  return {
    code: errorCodes[kind],
    message: meaning,
    data: schemaOf(z.object({ kind: z.literal(kind), ...data })),
  };
}

/** An error of OpenRPC has no room for it. */
function adviceOn(kind: ErrorKind): JsonObject {
  const { repeat, operator } = errorTexts[kind];
  return { repeat, operator };
}

/** As it is written on the wire, before anything is made of it. */
function schemaOf(of: z.ZodType): JsonObject {
  const schema = z.toJSONSchema(of, { io: 'input', target: 'draft-7', unrepresentable: 'any' });
  return Object.fromEntries(Object.entries(schema).filter(([name]) => name !== '$schema'));
}
