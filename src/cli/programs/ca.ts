import { addCaCommand } from '../commands/cluster/ca-commands.ts';
import { withCommands } from '../run.ts';

export const run = withCommands([addCaCommand]);
