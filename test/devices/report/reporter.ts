import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Reporter, TestModule, TestSuite } from 'vitest/node';
import type { Device, Difference } from '../device.ts';
import { devices } from '../devices.ts';
import { algorithmsOf, randomRounds } from '../selection.ts';
import { summary, type DeviceResult, type NotRun, type StepResult } from './results.ts';

const usualPath = fileURLToPath(new URL('../../../test-results/devices.json', import.meta.url));

/** Writes what each device's suite found, and says which ran, which did not, and why. */
export default class DeviceReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    const mine = modules.filter(({ project }) => project.name === 'devices');
    if (mine.length === 0) return;
    const suites = mine.flatMap((module) => [...module.children.suites()]);
    const ran = suites.flatMap(resultOf);
    const results = { ran, notRun: notRun(ran) };
    // Whoever names a file says the lines too, where they are the last.
    const path = process.env['DEVICE_RESULTS'] ?? usualPath;
    mkdirSync(dirname(path), { recursive: true });
    const lines = summary(results);
    writeFileSync(path, `${JSON.stringify({ summary: lines, ...results }, null, 2)}\n`);
    if (process.env['DEVICE_RESULTS'] === undefined) for (const line of lines) console.log(line);
  }
}

/** None where the suite is of no device, or no step of it ran. */
function resultOf(suite: TestSuite): readonly DeviceResult[] {
  const [name, algorithm] = suite.name.split(' ');
  const device = devices.find((one) => one.name === name);
  if (device === undefined || algorithm === undefined) return [];
  const tests = [...suite.children.allTests()];
  const steps = tests.map((test): StepResult => {
    const { state } = test.result();
    return {
      title: test.name,
      outcome: state === 'passed' || state === 'failed' ? state : 'not run',
    };
  });
  if (!steps.some(({ outcome }) => outcome !== 'not run')) return [];
  const said = tests.map((test) => test.meta().device).find((info) => info !== undefined);
  return [
    {
      ...{ device: device.name, algorithm, title: device.title, emulator: device.emulator },
      library: said?.library ?? null,
      token: said?.token ?? null,
      date: new Date().toISOString().slice(0, 10),
      rounds: randomRounds,
      counted: tests.map((test) => test.meta().counted).find((one) => one !== undefined) ?? null,
      differences: differencesOf(device, algorithm),
      steps,
    },
  ];
}

function notRun(ran: readonly DeviceResult[]): readonly NotRun[] {
  return devices.flatMap((device) =>
    device.algorithms.flatMap((algorithm) => {
      if (ran.some((one) => one.device === device.name && one.algorithm === algorithm)) return [];
      const isWanted = algorithmsOf(device).includes(algorithm);
      const reason = isWanted ? 'it was not asked for' : 'scripts/test --devices=all runs it';
      return [{ device: device.name, algorithm, reason }];
    }),
  );
}

/** In words: what the descriptor has otherwise than others, and why. */
function differencesOf(device: Device, algorithm: string): readonly string[] {
  const of = <Value>(values: Partial<Record<string, Difference<Value>>> | undefined) =>
    values?.[algorithm];
  const limit = of(device.messageLimit);
  const empty = of(device.emptyMessage);
  const {
    keepsSeal,
    wrongPins,
    dataObjects,
    privateDataObjects,
    idBytes,
    attributes = {},
  } = device;
  return [
    ...(device.without === null ? [] : [`no other algorithm: ${device.without}`]),
    ...(limit === undefined ? [] : [`at most ${limit.value} bytes are signed: ${limit.why}`]),
    ...(empty === undefined ? [] : [`the empty message is not signed: ${empty.why}`]),
    ...(keepsSeal === undefined ? [] : [`it keeps no seal of the records: ${keepsSeal.why}`]),
    ...(wrongPins === undefined ? [] : [`wrong PINs are few: ${wrongPins.why}`]),
    ...(dataObjects === undefined ? [] : [`no data objects: ${dataObjects.why}`]),
    ...(privateDataObjects === undefined
      ? []
      : [`no private data objects: ${privateDataObjects.why}`]),
    ...(idBytes === undefined ? [] : [`key ids of ${idBytes.value} bytes: ${idBytes.why}`]),
    ...Object.entries(attributes).map(
      ([name, { value, why }]) => `${name} is ${String(value)}: ${why}`,
    ),
  ];
}
