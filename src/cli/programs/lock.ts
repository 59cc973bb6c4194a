import { addLockCommands } from '../commands/keys/lock-commands.ts';
import { withCommands } from '../run.ts';

export const run = withCommands([addLockCommands]);
