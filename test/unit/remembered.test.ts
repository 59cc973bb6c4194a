import { expect, test } from 'vitest';
import { Remembered } from '../../src/base/remembered.ts';

test('each text is looked at once, and no more are kept than may be', () => {
  const looked: string[] = [];
  const lengths = new Remembered((text: string) => {
    looked.push(text);
    return text.length;
  }, 2);
  expect(['a', 'bb', 'a', 'bb'].map((text) => lengths.of(text))).toEqual([1, 2, 1, 2]);
  expect(looked).toEqual(['a', 'bb']);
  expect(lengths.of('ccc')).toBe(3);
  expect(lengths.of('a')).toBe(1);
  expect(looked).toEqual(['a', 'bb', 'ccc', 'a']);
});
