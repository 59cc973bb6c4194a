import { expect, test } from 'vitest';
import { protocolDocument } from '../../src/agent/protocol-document.ts';
import { jsonText, writtenOnce } from '../../src/base/json-text.ts';
import { version } from '../../src/base/version.ts';
import { documentOf } from '../support/openrpc.ts';
import { Clock, worldWith } from '../support/world.ts';

/** A world in which nobody gets on before `goOn`. */
function heldWorld(): { world: ReturnType<typeof worldWith>; goOn: () => void } {
  let goOn = (): void => undefined;
  const promise = new Promise<void>((resolve) => {
    goOn = resolve;
  });
  return { world: { ...worldWith(new Clock()), pause: () => promise }, goOn };
}

test('is made once, and is what the sources say', async () => {
  const { world, goOn } = heldWorld();
  const document = protocolDocument(world);
  const first = document();
  goOn();
  expect(await first).toEqual(await documentOf(version()));
  expect(await document()).toBe(await first);
});

test('while it is made 32 may wait for it, and the others are told to ask again', async () => {
  const { world, goOn } = heldWorld();
  const document = protocolDocument(world);
  const waiting = Array.from({ length: 32 }, document);
  await expect(document()).rejects.toMatchObject({ kind: 'overloaded' });
  goOn();
  const [first, ...others] = await Promise.all(waiting);
  expect(others.every((one) => one === first)).toBe(true);
  expect(await document()).toBe(first);
});

test('a text that is written once is the same text', () => {
  const value = { a: [1, null], b: { c: 'é' } };
  const text = JSON.stringify(value);
  expect(jsonText(writtenOnce(value))).toBe(text);
  expect(JSON.stringify(value)).toBe(text);
  for (const other of [null, 1, 'text', [], {}, { a: undefined }]) {
    expect(jsonText(other)).toBe(JSON.stringify(other));
  }
});
