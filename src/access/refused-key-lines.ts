import { LineBudget } from '../base/line-budget.ts';

/** A minute; all callers without a scope together. */
const most = { ofStrangers: 4, ofUsers: 60 };

/** The lines of the log about API keys that were not accepted: anybody can make those. */
export class RefusedKeyLines {
  readonly #ofStrangers: LineBudget;
  readonly #ofUsers: LineBudget;

  /** `monotonicNow`: milliseconds. */
  constructor(monotonicNow: () => number) {
    this.#ofStrangers = new LineBudget(most.ofStrangers, monotonicNow);
    this.#ofUsers = new LineBudget(most.ofUsers, monotonicNow);
  }

  /** See LineBudget. */
  take(isStranger: boolean, write: Parameters<LineBudget['take']>[0]): void {
    (isStranger ? this.#ofStrangers : this.#ofUsers).take(write);
  }
}
