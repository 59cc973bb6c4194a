import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { page } from '../../scripts/hardware-page.js';
import { summary, type DeviceResult } from '../devices/report/results.ts';

const docs = (name: string): string =>
  readFileSync(fileURLToPath(new URL(`../../docs/${name}`, import.meta.url)), 'utf8');
const result: DeviceResult = {
  ...{ device: 'nss', algorithm: 'es256', title: 'NSS softokn', emulator: 'a simulator' },
  ...{ library: 'NSS 3.87', token: null, date: '2026-01-02', rounds: 3, differences: ['no seal'] },
  counted: { changes: 7, kills: 2 },
  steps: [
    { title: 'one', outcome: 'passed' },
    { title: 'two', outcome: 'failed' },
  ],
};

test('the page is what the results that are kept make of it', () => {
  expect(docs('hardware.md')).toBe(page(JSON.parse(docs('hardware.json')) as DeviceResult[]));
});

test('the page says what failed, what is emulated, and what is otherwise', () => {
  const text = page([result]);
  expect(text).toContain('3 rounds of random changes and kills (7 changes, 2 kills, no key lost)');
  expect(text).toContain('| one | yes |');
  expect(text).toContain('| two | NO |');
  expect(text).toContain('emulated, by a simulator');
  expect(text).toContain('- otherwise than others: no seal');
});

test('a run ends with a line for each device, those that did not run included', () => {
  const notRun = [{ device: 'softhsm', algorithm: 'es256', reason: 'nobody asked' }];
  expect(summary({ ran: [result], notRun })).toEqual([
    'device nss es256: 1 passed, 1 failed, 3 random rounds (7 changes, 2 kills); NSS 3.87 (emulated: a simulator)',
    'device softhsm es256: not run: nobody asked',
  ]);
});
