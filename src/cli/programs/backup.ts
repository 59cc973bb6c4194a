import { addBackupCommands } from '../commands/backup/backup-commands.ts';
import { withCommands } from '../run.ts';

export const run = withCommands([addBackupCommands]);
