import type { NextChange } from '../../api/status.ts';
import { parseTime } from '../../base/rfc3339.ts';
import { when } from './when.ts';

const words: Readonly<Record<NextChange['what'], string>> = {
  prepare: 'the next key is prepared',
  activate: 'the prepared key becomes active',
  prune: 'keys whose grace has ended are removed',
};

/** What a keyring does next by itself, in one phrase; a word of a newer agent is shown as it is. */
export function changeInWords({ what, at }: NextChange, now: number): string {
  const text = Object.hasOwn(words, what) ? words[what] : what;
  const overdue = (parseTime(at)?.ms ?? now) < now ? ', due' : '';
  return `${text}${overdue} ${when(at, now)}`;
}
