import type { MethodTexts } from './method-text.ts';

export const agentTexts: MethodTexts<
  'ping' | 'whoami' | 'status' | 'rpc.discover' | 'authenticate' | 'reload'
> = {
  ping: { summary: 'Answers, and does nothing else.', errors: [] },
  whoami: { summary: 'Who the agent takes this connection for.', errors: [] },
  status: {
    summary: 'What the agent, its keyrings, its cluster and its audit log are doing.',
    errors: [],
  },
  'rpc.discover': { summary: 'This document.', errors: [] },
  authenticate: {
    summary:
      'From its answer on, this connection has what the API key has. Where the key is not accepted, it has what it had.',
    params: { api_key: 'The secret of the API key.' },
    errors: [],
  },
  reload: {
    summary:
      'Reads [access], [log] and the API keys again. What could not be read stays as it was, and is in the answer.',
    errors: [],
  },
};
