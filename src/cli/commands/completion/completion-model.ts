import type { Argument, Command, Option } from 'commander';

/** What can be completed, as the shells' scripts need it: one entry a command, the root first. */
export interface CommandEntry {
  /** Names from below the root, a space between them; '' for the root. */
  readonly path: string;
  readonly commands: readonly { readonly name: string; readonly description: string }[];
  /** The command's own and the global ones. */
  readonly options: readonly OptionEntry[];
  /** What each positional argument is, in order. */
  readonly args: readonly Value[];
  /** The last of them may be given any number of times. */
  readonly isLastRepeated: boolean;
}

export interface OptionEntry {
  readonly long: string;
  readonly short: string | null;
  readonly description: string;
  /** null for a flag. */
  readonly value: Value | null;
}

/** What a value is: one of some words, a file, a key id, or something nobody can guess. */
export type Value =
  | { readonly kind: 'words'; readonly words: readonly string[] }
  | { readonly kind: 'file' | 'kid' | 'free' };

/** Reads the model off the commander tree, so that no list is kept by hand. */
export function completionModel(program: Command): CommandEntry[] {
  return entries(program, '', program.options.map(optionEntry));
}

function entries(command: Command, path: string, globals: readonly OptionEntry[]): CommandEntry[] {
  const help = { long: '--help', short: '-h', description: 'print help', value: null };
  const own = path === '' ? [] : command.options.map(optionEntry);
  const entry: CommandEntry = {
    path,
    commands: command.commands.map((sub) => ({ name: sub.name(), description: sub.description() })),
    options: [...own, ...globals, help],
    args: command.registeredArguments.map((argument) => valueOf(argument, argument.name())),
    isLastRepeated: command.registeredArguments.at(-1)?.variadic === true,
  };
  const below = command.commands.flatMap((sub) =>
    entries(sub, path === '' ? sub.name() : `${path} ${sub.name()}`, globals),
  );
  return [entry, ...below];
}

function optionEntry(option: Option): OptionEntry {
  const placeholder = /[<[](\w+)/.exec(option.flags)?.[1];
  return {
    long: option.long ?? option.flags,
    short: option.short ?? null,
    description: option.description,
    value: placeholder === undefined ? null : valueOf(option, placeholder),
  };
}

function valueOf(given: Option | Argument, placeholder: string): Value {
  if (given.argChoices !== undefined) return { kind: 'words', words: given.argChoices };
  if (placeholder === 'kid') return { kind: 'kid' };
  return { kind: ['file', 'dir', 'key'].includes(placeholder) ? 'file' : 'free' };
}
