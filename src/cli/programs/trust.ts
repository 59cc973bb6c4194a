import { addTrustCommand } from '../commands/cluster/trust-commands.ts';
import { withCommands } from '../run.ts';

export const run = withCommands([addTrustCommand]);
