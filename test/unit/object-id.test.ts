import { randomBytes } from 'node:crypto';
import { expect, test } from 'vitest';
import { madeAt, newObjectId } from '../../src/vault/object-id.ts';

const now = Date.UTC(2026, 4, 14, 17, 55);
const random = Buffer.from('00112233445566778899', 'hex');

test('an id is the time and the random bytes, in hex', () => {
  expect(newObjectId(0x0123456789ab, random)).toBe('0123456789ab00112233445566778899');
  expect(newObjectId(now, random)).toMatch(/^[0-9a-f]{32}$/);
  expect(() => newObjectId(now, random.subarray(1))).toThrow(RangeError);
});

test('its time can be read back', () => {
  expect(madeAt(newObjectId(now, random))).toBe(now);
  expect(madeAt(newObjectId(now + 0.75, random))).toBe(now);
});

test('ids sort as they were made', () => {
  const ids = [0, 1, 255, 256, 86_400_000, 1e12].map((later) =>
    newObjectId(now + later, randomBytes(10)),
  );
  expect(ids.toSorted()).toEqual(ids);
});

test('a clock before the epoch makes an id all the same', () => {
  expect(madeAt(newObjectId(-5, random))).toBeNull();
});

test.each([
  ['no id', ''],
  ['an id of another length', '0123456789ab'],
  ['upper case', newObjectId(now, random).toUpperCase()],
  ['a time before the program', newObjectId(Date.UTC(2001, 0, 1), random)],
  ['text', 'signing-agent/default-signing-ag'],
])('%s says no time', (_, objectId) => {
  expect(madeAt(objectId)).toBeNull();
});
