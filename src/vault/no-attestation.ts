import { AgentError } from '../base/errors.ts';

/** Of a vault whose device attests nothing. `because` completes "the key cannot be attested: ". */
export function noAttestation(because: string): Promise<never> {
  return Promise.reject(new AgentError('not_supported', `the key cannot be attested: ${because}`));
}
