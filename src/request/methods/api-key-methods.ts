import { apiKeyRequests } from '../../access/api-key-request.ts';
import { method } from '../method.ts';

const readsKeys = { scope: 'admin', reach: 'agent', effect: 'reads' } as const;
const changesKeys = { ...readsKeys, effect: 'changes' } as const;

/** The administration of API keys. A key that is for some keyrings alone may not do it. */
export const apiKeyMethods = {
  apikey_create: method({
    ...changesKeys,
    params: apiKeyRequests.create,
    subject: ({ id, seal_to: clientKey }) => (clientKey === undefined ? id : `${id},${clientKey}`),
    act: ({ seal_to: clientKey, ...wanted }, { apiKeys, clientKeys }) =>
      apiKeys.create(wanted, async (secret) =>
        clientKey === undefined
          ? { secret: secret.toString('latin1') }
          : { sealed: await clientKeys.seal([clientKey], secret) },
      ),
  }),
  apikey_list: method({
    ...readsKeys,
    params: {},
    act: (_params, { apiKeys }) => apiKeys.list(),
  }),
  apikey_update: method({
    ...changesKeys,
    params: apiKeyRequests.update,
    subject: ({ id }) => id,
    act: (wanted, { apiKeys }) => apiKeys.update(wanted),
  }),
  apikey_revoke: method({
    ...changesKeys,
    params: apiKeyRequests.revoke,
    subject: ({ id }) => id,
    act: ({ id }, { apiKeys }) => apiKeys.revoke(id),
  }),
};
