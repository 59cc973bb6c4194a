import { claimedId } from '../../access/api-key-check.ts';
import { fields } from './fields.ts';
import { method } from '../method.ts';
import { unreadText } from '../services.ts';

/** The methods that are about the agent and the caller (contract section 2). */
export const agentMethods = {
  ping: method({ scope: 'none', reach: 'caller', effect: 'reads', params: {}, act: () => ({}) }),
  whoami: method({
    scope: 'none',
    reach: 'caller',
    effect: 'reads',
    params: {},
    act: (_params, _services, { grant }) => ({ principal: grant.principal }),
  }),
  // A key for some keyrings sees those.
  status: method({
    scope: 'reader',
    reach: 'caller',
    effect: 'reads',
    params: {},
    act: (_params, services, { grant }) => services.status(grant),
  }),
  // Recorded when it is decided, as a signature is: what comes behind it on the connection goes by it already.
  authenticate: method({
    scope: 'none',
    reach: 'caller',
    effect: 'signs',
    beforeCredential: true,
    params: { api_key: fields.secret },
    subject: ({ api_key }) => claimedId(api_key),
    act: async ({ api_key }, services, { caller }) => ({
      principal: await services.authenticate(caller, api_key),
    }),
    takeBack: (services, { caller }) => {
      services.withdrawCredential(caller);
    },
  }),
  reload: method({
    scope: 'admin',
    reach: 'agent',
    effect: 'changes',
    params: {},
    act: (_params, services) => services.reload(),
    resultReason: unreadText,
  }),
};
