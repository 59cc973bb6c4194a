import { addStatusCommands } from '../commands/status/status-commands.ts';
import { addKeysCommand } from '../commands/keys/keys-commands.ts';
import { addSigning } from '../commands/signatures/signature-commands.ts';
import { addJwtCommands } from '../commands/jwt/jwt-commands.ts';
import { addLockCommands } from '../commands/keys/lock-commands.ts';
import { addApiKeyCommand } from '../commands/apikey/apikey-commands.ts';
import { addClientKeyCommand } from '../commands/clientkey/clientkey-commands.ts';
import { addCaCommand } from '../commands/cluster/ca-commands.ts';
import { addBackupCommands } from '../commands/backup/backup-commands.ts';
import { addTrustCommand } from '../commands/cluster/trust-commands.ts';
import { addJoinTokenCommand } from '../commands/cluster/join-token-commands.ts';
import { addInitCommand } from '../commands/init/init-command.ts';
import { addOfflineCommands } from '../commands/offline-commands.ts';
import { addAuditCommand } from '../commands/audit/audit-commands.ts';
import { addCompletionCommand } from '../commands/completion/completion-command.ts';
import { addHelpCommand } from '../commands/help/help-command.ts';
import { withCommands } from '../run.ts';

/** In the order of `agentctl help all`. */
export const everyCommand = [
  addStatusCommands,
  addKeysCommand,
  addSigning,
  addJwtCommands,
  addLockCommands,
  addApiKeyCommand,
  addClientKeyCommand,
  addCaCommand,
  addBackupCommands,
  addTrustCommand,
  addJoinTokenCommand,
  addInitCommand,
  addOfflineCommands,
  addAuditCommand,
  addCompletionCommand,
  addHelpCommand,
];

export const run = withCommands(everyCommand);
