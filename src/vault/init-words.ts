/** What `agentctl init` asks and writes for a kind of backend. */
export interface InitWords {
  /** Completes "Keys ". */
  readonly place: string;
  /** What of it needs a configuration file; null: it works without one. */
  readonly needsConfig: string | null;
  readonly flags: readonly InitFlag[];
  /** The lines of `[keyrings.NAME]`, the last with a newline. `toml` makes a basic string of a text. */
  table(keyring: string, answers: Answers, toml: (text: string) => string): string;
  /** Completes "keyring NAME: " where the agent makes the first key. */
  readonly firstKeyByAgent: string;
}

/** By the key of the table, what a flag or an answer says. */
export type Answers = ReadonlyMap<string, string>;

/** A flag, and the question that asks for it where it is missing. */
export interface InitFlag {
  /** Of the table; the flag is named after it. */
  readonly key: string;
  /** Completes "--uri ". */
  readonly value: string;
  readonly description: string;
  readonly question: string;
  /** Refuses an empty answer. */
  readonly missing: string;
  /** Completes "--uri is ", said to who gives it with another backend. */
  readonly noun: string;
}
