import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { readFlags } from '../bench/flags.js';
import { groups, parts } from '../bench/parts.js';
import { parseStat, perSignature } from '../bench/machine/cpu.js';
import { parseProcessors, warningsOf } from '../bench/machine/quiet.js';
import { compare, compareLines } from '../bench/report/compare.js';
import { bestByCpu, median, medianRatio } from '../bench/report/statistics.js';
import { judge, shortBy, targetLines, targets } from '../bench/report/targets.js';

// What the bench measures no test asserts; what it makes of it is tested here.

describe('statistics', () => {
  it('takes the middle, or what lies between the two of it', () => {
    expect(median([3, 1, 2])).toBe(2);
    expect(median([4, 1, 3, 2])).toBe(2.5);
  });

  it('takes the loop that uses the processors best: threads beyond them make no signature more', () => {
    const loops = [1, 2, 8].map((threads) => ({ threads, cpuUs: 100 + threads }));
    expect(bestByCpu(loops, 1)).toBeCloseTo(1 / 101);
    expect(bestByCpu(loops, 2)).toBeCloseTo(2 / 102);
    expect(bestByCpu(loops, 16)).toBeCloseTo(8 / 108);
  });

  it('takes ratios round by round: a round in which all is slow changes none', () => {
    expect(medianRatio([10, 2, 30], [20, 4, 60])).toBe(0.5);
  });
});

describe('CPU time', () => {
  // proc(5): state, parent, ..., utime (14), stime (15), cutime (16), cstime (17).
  const stat = '71 (a (b) c) S 7 71 1 0 -1 4194304 5 6 7 8 150 25 30 4 20 0 9 0 43';

  it('is read of a process whose name has spaces and parentheses', () => {
    expect(parseStat(stat)).toEqual({
      name: 'a (b) c',
      parent: 7,
      user: 1.5,
      system: 0.25,
      waited: { user: 0.3, system: 0.04 },
    });
  });

  it('is told a signature, in microseconds, the kernel part of it apart', () => {
    const before = [['agent', { user: 1, system: 0.5 }]] as const;
    const after = [['agent', { user: 1.4, system: 0.6 }]] as const;
    const { agent } = perSignature(before, after, 10_000);
    expect(agent?.total).toBeCloseTo(50);
    expect(agent?.system).toBeCloseTo(10);
  });
});

describe('a machine', () => {
  const quiet = { load: 0.1, others: 0.01, busiest: [], steal: 0, governors: [] };

  it('is quiet where nothing else runs', () => {
    expect(warningsOf(quiet)).toEqual([]);
    expect(warningsOf({ ...quiet, governors: ['performance'] })).toEqual([]);
    // At the end the load average is the bench's own.
    expect(warningsOf({ ...quiet, load: null })).toEqual([]);
  });

  it('is not where something does: each reason is a sentence', () => {
    const busiest = [{ name: 'cc1', pid: 12, used: 0.9 }];
    const seen = {
      load: 3,
      others: 0.95,
      busiest,
      steal: 0.2,
      governors: ['powersave', 'powersave'],
    };
    expect(warningsOf(seen)).toEqual([
      'the load average of the last minute is 3.00',
      'other processes use 0.95 of a processor: cc1 (12) 0.90',
      'the hypervisor gives 20 % of the time to others',
      'the frequency of the processors changes (powersave)',
    ]);
  });

  it('tells what its processors did: waiting for a disk is no work, and stolen time is none', () => {
    const text = 'cpu  100 0 50 800 25 25 25 200 0 0\ncpu0 1 2 3';
    expect(parseProcessors(text)).toEqual({ busy: 2, steal: 2, all: 12.25 });
  });
});

describe('targets', () => {
  const machine = { processors: 2 };
  const atLeast = {
    name: 'fast',
    part: 'file',
    sense: 'at least' as const,
    wanted: 1.5,
    reached: ({ ratio }: { ratio: number }) => ratio,
  };
  const byCpu = ({ ratio }: { ratio: number }) => ratio + 0.2;
  const atMost = {
    ...atLeast,
    name: 'small',
    sense: 'at most' as const,
    unit: 'ms',
    wanted: (_: unknown, { processors }: { processors: number }) => processors * 50,
  };

  it('are reached, or short by a part of what is wanted', () => {
    expect(shortBy(1.5, 1.5, 'at least')).toBe(0);
    expect(shortBy(0.75, 1.5, 'at least')).toBe(0.5);
    expect(shortBy(90, 100, 'at most')).toBe(0);
    expect(shortBy(150, 100, 'at most')).toBeCloseTo(0.5);
  });

  it('have a line each, also where their part was not measured or cannot run here', () => {
    const judged = judge({ file: { ratio: 1.2 } }, machine, [{ ...atLeast, byCpu }, atMost]);
    expect(targetLines(judged)).toEqual([
      '  fast       1.20, wanted at least 1.50    short by 20 %, by CPU 1.40',
      '  small      1 ms, wanted at most 100 ms  reached',
    ]);
    for (const figures of [{}, { file: { unavailable: 'there is none' } }]) {
      expect(targetLines(judge(figures, machine, [atLeast]))).toEqual([
        '  fast  not measured (--only file)',
      ]);
    }
  });

  it('want more of a machine with sixteen processors', () => {
    const contestants = [{ name: 'agent, 8 connections, depth 16', ratio_to_best_loop: 2 }];
    const wantedWith = (processors: number) =>
      judge({ file: { contestants } }, { processors }).find(({ part }) => part === 'file')?.wanted;
    expect(wantedWith(2)).toBe(1.5);
    expect(wantedWith(16)).toBe(3);
  });

  it('each have a name of their own', () => {
    const names = targets.map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
  });
});

describe('two runs', () => {
  const run = (...perSecond: number[]) => ({
    file: {
      agent: perSecond.map((one) => ({ perSecond: one, cpu: { agent: { total: 8, system: 1 } } })),
    },
  });
  const changeOf = (before: number[], after: number[]) =>
    compare(run(...before), run(...after)).find(({ member }) => member === 'perSecond');

  it('are compared by their medians; a total of CPU time stands for its parts', () => {
    expect(compare(run(10, 20, 30), run(40, 50, 60))).toEqual([
      { name: 'file: agent', member: 'perSecond', before: 20, after: 50, ratio: 2.5, beyond: true },
      { name: 'file: agent', member: 'cpu.agent', before: 8, after: 8, ratio: 1, beyond: false },
    ]);
  });

  it('differ beyond the noise where no round of one is among those of the other', () => {
    expect(changeOf([10, 20], [21, 30])?.beyond).toBe(true);
    expect(changeOf([10, 20], [5, 9])?.beyond).toBe(true);
    expect(changeOf([10, 20], [19, 30])?.beyond).toBe(false);
  });

  it('of one round say nothing of noise, which is told', () => {
    const rows = compare(run(10), run(40));
    expect(rows.map(({ beyond }) => beyond)).toEqual([null, null]);
    expect(compareLines(rows).at(-1)).toContain('is not known');
  });

  it('have rows for what both have measured', () => {
    expect(compare({}, run(1, 2))).toEqual([]);
    expect(compare({ file: { other: [{ perSecond: 1 }] } }, run(1, 2))).toEqual([]);
  });
});

describe('flags of the bench', () => {
  const read = (...args: string[]) =>
    readFlags(args, ['file', 'softhsm', 'keys'], {
      speed: ['file', 'softhsm'],
      all: ['file', 'keys'],
    });

  it('are those that docs/benchmarks.md types, with parts that there are', () => {
    const text = readFileSync(new URL('../../docs/benchmarks.md', import.meta.url), 'utf8');
    const typed = [...text.matchAll(/^npm run bench(?: --)?([^#\n]*)/gm)].map(([, flags = '']) =>
      flags
        .trim()
        .split(/\s+/)
        .filter((word) => word !== ''),
    );
    expect(typed.length).toBeGreaterThan(3);
    for (const args of typed) {
      expect(readFlags(args, Object.keys(parts), groups).only.length).toBeGreaterThan(0);
    }
  });

  it('name parts and groups of them, each part once', () => {
    expect(read().only).toEqual(['file', 'softhsm']);
    expect(read('--only', 'keys,speed,file').only).toEqual(['keys', 'file', 'softhsm']);
    expect(() => read('--only', 'files')).toThrow('--only files: there are file, softhsm, keys');
  });

  it('print a document, or write it to a file', () => {
    expect(read('--json')).toMatchObject({ json: true, jsonFile: null });
    expect(read('--json', 'run.json')).toMatchObject({ json: false, jsonFile: 'run.json' });
    expect(() => read('run.json')).toThrow('only --json takes a file');
  });

  it.each([
    [['--rounds', '0'], '--rounds takes 1 to 100, a whole number'],
    [['--rounds', '1.5'], '--rounds takes'],
    [['--seconds', 'x'], '--seconds takes 0.1 to 60'],
    [['--minutes', '0'], '--minutes takes'],
  ])('%j is refused', (args, message) => {
    expect(() => read(...args)).toThrow(message);
  });
});
