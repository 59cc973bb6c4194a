import type { Command } from 'commander';

export interface ManSources {
  /** The tree of agentctl's commands. */
  readonly agentctl: Command;
  /** The agent's flags. */
  readonly agent: Command;
  /** The configuration as a JSON Schema of what is written. */
  readonly configuration: object;
}

/** The text of each page, by the name of its file. Throws where a key of the configuration has no text. */
export function manPages(sources: ManSources, version: string): Readonly<Record<string, string>>;
