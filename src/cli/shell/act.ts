import type { CommandRun } from './terminal.ts';

/** Makes a commander action of a command's work, which is loaded when it is run and not before. */
export type Act = <Options>(load: () => Promise<CommandRun<Options>>) => Action;
type Action = (...given: unknown[]) => Promise<void>;
