// Two runs side by side.
import { median } from './statistics.js';
import { row } from './table.js';

/** Fewest rounds of which it can be said how far they lie apart. */
const fewestRounds = 2;

/**
 * `results` of two runs: part → contestant → [round] → measured members. Answers a row for each number that both have:
 * {name, member, before, after, ratio, beyond}: medians, after / before, and whether the change is beyond the noise.
 * That is where every round of one run is above every round of the other; null with fewer than two rounds in a run.
 */
export function compare(before, after) {
  return Object.entries(after).flatMap(([part, contestants]) =>
    Object.entries(contestants).flatMap(([name, rounds]) => {
      const earlier = before[part]?.[name];
      if (earlier === undefined || earlier.length === 0 || rounds.length === 0) return [];
      const [old, now] = [membersOf(earlier), membersOf(rounds)];
      return [...now].flatMap(([member, values]) => {
        const others = old.get(member);
        if (others === undefined) return [];
        const [was, is] = [median(others), median(values)];
        if (was === 0 && is === 0) return []; // a process that there is not
        const beyond = isApart(others, values);
        return [
          { name: `${part}: ${name}`, member, before: was, after: is, ratio: is / was, beyond },
        ];
      });
    }),
  );
}

function isApart(one, other) {
  if (one.length < fewestRounds || other.length < fewestRounds) return null;
  return Math.min(...one) > Math.max(...other) || Math.min(...other) > Math.max(...one);
}

/** Numbers of a contestant's rounds, by the path of the member. A total of CPU time stands for its parts. */
function membersOf(rounds) {
  const members = new Map();
  const walk = (value, path) => {
    for (const [key, member] of Object.entries(value)) {
      if (typeof member === 'object' && member !== null) walk(member, [...path, key]);
      else if (typeof member === 'number' && key !== 'system' && !counted.has(key)) {
        const name = [...path, key].filter((word) => word !== 'total').join('.');
        members.set(name, [...(members.get(name) ?? []), member]);
      }
    }
  };
  for (const round of rounds) walk(round, []);
  return members;
}

/** What only says how long it was measured. */
const counted = new Set(['signatures', 'seconds', 'threads', 'systemUs']);

/** `*` marks a change beyond the noise of the rounds. */
export function compareLines(rows) {
  const lines = [
    row('compared with the earlier run', 'member', 'before', 'after', 'after/before'),
    ...rows.map(({ name, member, before, after, ratio, beyond }) => {
      const mark = beyond === true ? ' *' : '';
      return row(
        `  ${name}`.padEnd(60),
        member.padStart(14),
        short(before),
        short(after),
        `${ratio.toFixed(2)}${mark}`,
      );
    }),
  ];
  if (rows.some(({ beyond }) => beyond === null)) {
    lines.push(
      '  a run has one round: how far rounds lie apart is not known, and nothing is marked',
    );
  } else lines.push('  *: every round of one run is above every round of the other');
  return lines;
}

const short = (value) => (Math.abs(value) >= 1000 ? value.toFixed(0) : value.toPrecision(4));
