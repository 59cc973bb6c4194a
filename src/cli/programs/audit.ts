import { addAuditCommand } from '../commands/audit/audit-commands.ts';
import { withCommands } from '../run.ts';

export const run = withCommands([addAuditCommand]);
