import { AgentError } from '../base/errors.ts';
import { faultInWords, type ApiKeyFault } from './api-key-check.ts';

/** A credential that is not accepted. The caller learns that, and no more; why is for log and audit. */
export class CredentialError extends AgentError {
  readonly fault: ApiKeyFault;

  constructor(fault: ApiKeyFault) {
    super(
      'unauthenticated',
      'the API key is not accepted: it is wrong, expired, revoked, or not for this user or machine',
    );
    this.fault = fault;
  }

  /** For log and audit. */
  get reason(): string {
    return `${this.fault}: ${faultInWords(this.fault)}`;
  }
}
