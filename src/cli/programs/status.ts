import { addStatusCommands } from '../commands/status/status-commands.ts';
import { withCommands } from '../run.ts';

export const run = withCommands([addStatusCommands]);
