import { addJwtCommands } from '../commands/jwt/jwt-commands.ts';
import { withCommands } from '../run.ts';

export const run = withCommands([addJwtCommands]);
