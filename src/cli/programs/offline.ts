import { addOfflineCommands } from '../commands/offline-commands.ts';
import { withCommands } from '../run.ts';

export const run = withCommands([addOfflineCommands]);
