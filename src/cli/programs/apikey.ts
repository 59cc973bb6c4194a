import { addApiKeyCommand } from '../commands/apikey/apikey-commands.ts';
import { withCommands } from '../run.ts';

export const run = withCommands([addApiKeyCommand]);
