import { authorizeHandingOn } from '../../access/authorize.ts';
import { apiKeyRequests } from '../../access/api-key-request.ts';
import { parsePurpose, type Purposes } from '../../access/purposes.ts';
import { method, outcome } from '../method.ts';

const admin = { scope: 'admin', reach: 'agent' } as const;

/** As it was checked; null and undefined: all. */
function asked(texts: readonly string[] | null | undefined): Purposes {
  const purposes = texts?.map((text) => parsePurpose(text)).filter((one) => one !== null);
  return purposes === undefined ? null : new Set(purposes);
}

/** The administration of API keys. A key that is for some keyrings alone may not do it. */
export const apiKeyMethods = {
  apikey_create: method({
    ...admin,
    params: apiKeyRequests.create,
    subject: ({ id, seal_to: clientKey }) => (clientKey === undefined ? id : `${id},${clientKey}`),
    act: async ({ seal_to: clientKey, ...wanted }, { apiKeys, clientKeys }, { grant }) => {
      authorizeHandingOn(grant, 'apikey_create', admin, asked(wanted.allowed_purposes));
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
    // Also where it says nothing of purposes: what it widens otherwise, it widens for those that the key has.
    act: async (wanted, { apiKeys }, { grant }) => {
      const purposes =
        wanted.allowed_purposes === undefined
          ? apiKeys.purposesOf(wanted.id)
          : asked(wanted.allowed_purposes);
      authorizeHandingOn(grant, 'apikey_update', admin, purposes);
      return outcome(await apiKeys.update(wanted));
    },
  }),
  apikey_revoke: method({
    ...admin,
    isUrgent: true,
    params: apiKeyRequests.revoke,
    subject: ({ id }) => id,
    act: async ({ id }, { apiKeys }) => outcome(await apiKeys.revoke(id)),
  }),
};
