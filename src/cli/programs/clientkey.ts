import { addClientKeyCommand } from '../commands/clientkey/clientkey-commands.ts';
import { withCommands } from '../run.ts';

export const run = withCommands([addClientKeyCommand]);
