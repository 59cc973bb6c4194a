import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, test } from 'vitest';
import * as z from 'zod';
import type { OpenRpcDocument } from '../../src/api/discovery.ts';
import { methodCatalogue, type MethodFacts, type MethodName } from '../../src/api/methods.ts';
import { errorCodes } from '../../src/base/errors.ts';
import { version } from '../../src/base/version.ts';
import type { IsResultOf } from '../../src/request/discovery/results/results.ts';
import { kid } from '../../src/request/discovery/results/shapes.ts';
import { entries, methods } from '../../src/request/methods/methods.ts';
import { methodParams } from '../support/method-params.ts';
import {
  documentOf,
  methodsOf,
  openRpcValidator,
  paramsSchema,
  validator,
  type DocumentedMethod,
} from '../support/openrpc.ts';

const names = Object.keys(methodCatalogue) as MethodName[];
const checkedIn = readFileSync(new URL('../../docs/openrpc.json', import.meta.url), 'utf8');

let document: OpenRpcDocument;
beforeAll(async () => {
  document = await documentOf(version());
});
function documented(name: string): DocumentedMethod {
  const found = methodsOf(document).find((method) => method.name === name);
  if (found === undefined) throw new Error(`${name} is not in the document`);
  return found;
}

test('docs/openrpc.json is what rpc.discover answers: else run scripts/openrpc.js', () => {
  expect(checkedIn).toBe(`${JSON.stringify(document, null, 2)}\n`);
});

test('the document is one of OpenRPC, by the schema of its authors', () => {
  const isOpenRpc = openRpcValidator();
  isOpenRpc(document);
  expect(isOpenRpc.errors).toBeNull();
  const [first] = document.methods;
  expect(isOpenRpc({ ...document, methods: [{ name: 'unfinished' }] })).toBe(false);
  const wrong = { ...first, params: [{ name: 'kid', schema: { type: 'text' } }] };
  expect(isOpenRpc({ ...document, methods: [wrong] })).toBe(false);
});

test('it has every method that can be called, with what is needed for it', () => {
  expect(methodsOf(document).map(({ name }) => name)).toEqual([...methods.keys()]);
  for (const [name, { scope, reach, effect }] of methods) {
    expect(documented(name), name).toMatchObject({
      ...{ 'x-scope': scope, 'x-reach': reach, 'x-effect': effect },
    });
  }
  const signing = methodsOf(document).filter((method) => method['x-purpose'] !== null);
  expect(Object.fromEntries(signing.map((method) => [method.name, method['x-purpose']]))).toEqual({
    ...{ sign: 'raw', sign_batch: 'raw', sign_sshsig: 'sshsig:NAMESPACE' },
    ...{ sign_minisign: 'minisign', sign_jws: 'jws', jwt_sign: 'jwt' },
    join_token_mint: 'join-token',
  });
});

test('it says which calls may be repeated, and what shows the outcome of the others', () => {
  for (const name of names) {
    const { shownBy }: MethodFacts = methodCatalogue[name];
    expect(documented(name), name).toMatchObject({
      'x-repeatable': shownBy === null,
      ...(shownBy === null ? {} : { 'x-shown-by': shownBy.method }),
    });
  }
});

test('it has every kind of error, and methods name no other', () => {
  const { errors } = document.components;
  expect(Object.keys(errors)).toEqual(Object.keys(errorCodes));
  for (const [kind, code] of Object.entries(errorCodes)) {
    expect(errors[kind]).toMatchObject({
      code,
      data: { type: 'object', properties: { kind: { const: kind } } },
    });
  }
  const known = Object.keys(errors).map((kind) => `#/components/errors/${kind}`);
  for (const { name, errors: of } of methodsOf(document)) {
    const refs = of.map(({ $ref }) => $ref);
    expect(known, name).toEqual(expect.arrayContaining(refs));
    expect(new Set(refs).size, name).toBe(refs.length);
  }
});

describe.each(names)('%s', (name) => {
  const given: Readonly<Record<string, unknown>> = {
    ...methodParams[name],
    ...(name === 'revoke' ? { kid: '00000000' } : {}),
  };
  const byCode = (params: unknown): boolean => entries[name].params.safeParse(params).success;

  test('its params are those that are checked, each with what it means', () => {
    const { params } = documented(name);
    expect(params.map((param) => param.name)).toEqual(Object.keys(entries[name].params.shape));
    for (const { name: param, description } of params) {
      expect(description, param).toMatch(/^[A-Z\w].*\.$/);
    }
    expect(documented(name).summary).toMatch(/^[A-Z].*\.$/);
  });

  test('document and check take the same params', () => {
    const byDocument = validator(paramsSchema(documented(name)));
    /** Both take it, or neither does; null where they differ. */
    const taken = (params: unknown): boolean | null => {
      const isTaken = byCode(params);
      return byDocument(params) === isTaken ? isTaken : null;
    };
    expect(taken(given)).toBe(true);
    expect(taken({ ...given, unknown: 1 })).toBe(false);
    expect(taken([])).toBe(false);
    for (const { name: param, required } of documented(name).params) {
      const rest = Object.fromEntries(Object.entries(given).filter(([name]) => name !== param));
      const isNeeded = required && !Object.hasOwn(rest, param);
      expect(taken(rest), `without ${param}`).toBe(!isNeeded);
      for (const wrong of [{ a: { b: [1] } }, 0.5, [[7]]]) {
        // Objects are what some are, of any members.
        const isAny =
          ['claims', 'headers'].includes(param) && !Array.isArray(wrong) && wrong !== 0.5;
        if (!isAny) expect(taken({ ...given, [param]: wrong }), param).toBe(false);
      }
    }
  });

  test('its result is described by a JSON Schema', () => {
    expect(typeof validator(documented(name).result.schema)).toBe('function');
  });
});

/** What the compiler says of it; `isResult` is there for the compiler alone. */
function compiled<Schema extends z.ZodType>(
  schema: Schema,
  isResult: IsResultOf<'verify', Schema>,
): boolean {
  return isResult && schema.safeParse({ valid: true, kid: '0a1b2c3d', at: '' }).success;
}

test('a schema that is another result than the one of the method does not compile', () => {
  const valid = z.boolean();
  const reason = z.string().exactOptional();
  const verification = z.object({ valid, kid: kid.nullable(), reason });
  const outcomes = [
    compiled(verification, true),
    // @ts-expect-error -- it has no reason
    compiled(z.object({ valid, kid: kid.nullable() }), true),
    // @ts-expect-error -- its reason is always there
    compiled(z.object({ valid, kid: kid.nullable(), reason: z.string() }), true),
    // @ts-expect-error -- its kid is never null
    compiled(z.object({ valid, kid, reason }), true),
    // @ts-expect-error -- there is no such member
    compiled(verification.extend({ at: z.string() }), true),
  ];
  expect(outcomes).toEqual([true, true, false, true, true]);
});
