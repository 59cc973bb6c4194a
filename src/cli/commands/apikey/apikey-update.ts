import type { UpdatedApiKey } from '../../../api/api-keys.ts';
import { apiKeyParams, type ApiKeyFlags } from './apikey-params.ts';
import { administer, warn } from './apikey-session.ts';
import { apiKeyRows } from './apikey-text.ts';
import { exitCodes, UsageError } from '../../shell/failure.ts';
import { Output } from '../../shell/output.ts';
import type { Invocation } from '../../shell/terminal.ts';

/** `agentctl apikey update NAME`. */
export async function updateApiKey(invocation: Invocation<ApiKeyFlags>): Promise<number> {
  const { terminal, globals, args, options } = invocation;
  const changes = apiKeyParams(options, globals.keyrings);
  if (Object.values(changes).every((value) => value === undefined)) {
    throw new UsageError('update: nothing was named that is to change (see --help)');
  }
  const params = { id: args[0], ...changes };
  const updated = await administer<UpdatedApiKey>(invocation, 'apikey_update', params);
  warn(updated.warnings, terminal);
  const output = new Output(terminal);
  if (globals.json) output.json(updated);
  else output.table(apiKeyRows(updated, terminal.now()));
  return exitCodes.done;
}
