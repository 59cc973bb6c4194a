import type { CreatedApiKey } from '../../../api/api-keys.ts';
import { lstatOrNull } from '../../../files/ownership.ts';
import { apiKeyParams, type ApiKeyFlags } from './apikey-params.ts';
import { administer, warn } from './apikey-session.ts';
import { apiKeyRows } from './apikey-text.ts';
import { CommandError, exitCodes } from '../../shell/failure.ts';
import { Output } from '../../shell/output.ts';
import type { Invocation } from '../../shell/terminal.ts';
import { writePrivateFile } from '../../shell/write-private-file.ts';

export interface CreateOptions extends ApiKeyFlags {
  readonly out?: string;
  readonly sealTo?: string;
}

/** `agentctl apikey create NAME`: the secret is shown, written or sealed this once. */
export async function createApiKey(invocation: Invocation<CreateOptions>): Promise<number> {
  const { terminal, globals, args, options } = invocation;
  const { out, sealTo } = options;
  if (out !== undefined) refuseExisting(out);
  const params = { id: args[0], ...apiKeyParams(options, globals.keyrings), seal_to: sealTo };
  const created = await administer<CreatedApiKey>(invocation, 'apikey_create', params);
  const { secret, sealed, ...shown } = created;
  const text = sealed ?? `${secret ?? ''}\n`;
  if (out !== undefined) await keep(out, text, created.id, invocation);
  warn(created.warnings, terminal);
  const output = new Output(terminal);
  if (globals.json) {
    output.json(out === undefined ? created : shown);
  } else if (sealed !== undefined && out === undefined) {
    terminal.stdout.write(text);
  } else {
    const where = out === undefined ? (secret ?? '') : `written to ${out}`;
    output.table([...apiKeyRows(created, terminal.now()), ['secret', where]]);
    if (out === undefined) terminal.stderr.write('The secret is not shown again.\n');
  }
  return exitCodes.done;
}

function refuseExisting(path: string): void {
  if (lstatOrNull(path) === null) return;
  throw new CommandError(`${path} is there already, and is never overwritten: name a new file`);
}

/** Nobody has the secret of a key whose file could not be written: the key goes again. */
async function keep(
  path: string,
  text: string,
  id: string,
  invocation: Invocation<CreateOptions>,
): Promise<void> {
  try {
    writePrivateFile(path, text, { replace: false });
  } catch (failure) {
    await administer(invocation, 'apikey_revoke', { id });
    throw failure;
  }
}
