import { addSigning } from '../commands/signatures/signature-commands.ts';
import { withCommands } from '../run.ts';

export const run = withCommands([addSigning]);
