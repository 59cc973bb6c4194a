import { addInitCommand } from '../commands/init/init-command.ts';
import { withCommands } from '../run.ts';

export const run = withCommands([addInitCommand]);
