import { addKeysCommand } from '../commands/keys/keys-commands.ts';
import { withCommands } from '../run.ts';

export const run = withCommands([addKeysCommand]);
