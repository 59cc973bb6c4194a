import { addJoinTokenCommand } from '../commands/cluster/join-token-commands.ts';
import { withCommands } from '../run.ts';

export const run = withCommands([addJoinTokenCommand]);
