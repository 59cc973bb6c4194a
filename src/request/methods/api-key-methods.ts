import { apiKeyRequests } from '../../access/api-key-request.ts';
import { method, outcome } from '../method.ts';

const admin = { scope: 'admin', reach: 'agent' } as const;

/** The administration of API keys. A key that is for some keyrings alone may not do it. */
export const apiKeyMethods = {
  apikey_create: method({
    ...admin,
    params: apiKeyRequests.create,
    subject: ({ id, seal_to: clientKey }) => (clientKey === undefined ? id : `${id},${clientKey}`),
    act: async ({ seal_to: clientKey, ...wanted }, { apiKeys, clientKeys }) => {
      const created = await apiKeys.create(wanted, async (secret) =>
        clientKey === undefined
          ? { secret: secret.toString('latin1') }
          : { sealed: await clientKeys.seal([clientKey], secret) },
      );
      return outcome(created);
    },
  }),
  apikey_list: method({
    ...admin,
    params: {},
    act: (_params, { apiKeys }) => outcome(apiKeys.list()),
  }),
  apikey_update: method({
    ...admin,
    params: apiKeyRequests.update,
    subject: ({ id }) => id,
    act: async (wanted, { apiKeys }) => outcome(await apiKeys.update(wanted)),
  }),
  apikey_revoke: method({
    ...admin,
    isUrgent: true,
    params: apiKeyRequests.revoke,
    subject: ({ id }) => id,
    act: async ({ id }, { apiKeys }) => outcome(await apiKeys.revoke(id)),
  }),
};
