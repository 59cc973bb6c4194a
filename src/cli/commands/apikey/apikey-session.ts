import * as z from 'zod';
import { apiKeyRequests } from '../../../access/api-key-request.ts';
import type { ApiKeys } from '../../../access/api-keys.ts';
import { ConnectionError } from '../../../client/connection-error.ts';
import { AgentError, errnoName } from '../../../base/errors.ts';
import { fieldIssues } from '../../../request/field-issues.ts';
import { withApiKeysFile } from '../../offline/api-keys-offline.ts';
import { agentSocket, type OfflineOptions } from '../../offline/offline-settings.ts';
import { ask } from '../../shell/session.ts';
import { escapeControls } from '../../shell/text.ts';
import type { Invocation, Terminal } from '../../shell/terminal.ts';

export type ApiKeyMethod = 'apikey_create' | 'apikey_list' | 'apikey_update' | 'apikey_revoke';

/** Done by the agent where one answers, else here on its file: by the same rules, with the same result. */
export async function administer<Result>(
  {
    terminal,
    globals,
    options,
  }: Pick<Invocation<OfflineOptions>, 'terminal' | 'globals' | 'options'>,
  method: ApiKeyMethod,
  params: Readonly<Record<string, unknown>> = {},
): Promise<Result> {
  try {
    const socket = agentSocket(globals, options, terminal);
    return await ask<Result>({ ...globals, ...socket }, method, params);
  } catch (failure) {
    if (!(failure instanceof ConnectionError) || !isAbsent(failure)) throw failure;
    return withApiKeysFile({ options, terminal, why: failure.message }, (apiKeys) =>
      perform(apiKeys, method, params),
    ) as Promise<Result>;
  }
}

/** Nobody listens. A socket that may not be opened is no sign of that. */
function isAbsent({ reason, cause }: ConnectionError): boolean {
  return reason === 'unreachable' && ['ENOENT', 'ECONNREFUSED'].includes(errnoName(cause) ?? '');
}

/** Names that allow nobody, said on stderr. */
export function warn(warnings: readonly string[], terminal: Terminal): void {
  for (const warning of warnings) {
    terminal.stderr.write(`agentctl: warning: ${escapeControls(warning)}\n`);
  }
}

function perform(
  apiKeys: ApiKeys,
  method: ApiKeyMethod,
  params: Readonly<Record<string, unknown>>,
): Promise<unknown> {
  switch (method) {
    case 'apikey_create': {
      const { seal_to: clientKey, ...wanted } = checked(apiKeyRequests.create, params);
      if (clientKey !== undefined) {
        throw new AgentError(
          'not_supported',
          '--seal-to needs the agent, which knows the client keys: start it, or take --out FILE',
        );
      }
      return apiKeys.create(wanted, (secret) =>
        Promise.resolve({ secret: secret.toString('latin1') }),
      );
    }
    case 'apikey_list':
      return Promise.resolve(apiKeys.list());
    case 'apikey_update':
      return apiKeys.update(checked(apiKeyRequests.update, params));
    case 'apikey_revoke':
      return apiKeys.revoke(checked(apiKeyRequests.revoke, params).id);
  }
}

/** As the agent checks what comes over its socket. */
function checked<S extends z.core.$ZodLooseShape>(
  shape: S,
  params: Readonly<Record<string, unknown>>,
): z.output<z.ZodObject<S>> {
  const outcome = z.strictObject(shape).safeParse(params);
  if (outcome.success) return outcome.data;
  const issues = fieldIssues(outcome.error);
  const text = issues.map(({ field, message }) => `${field}: ${message}`).join('; ');
  throw new AgentError('invalid_params', text, { details: { issues } });
}
