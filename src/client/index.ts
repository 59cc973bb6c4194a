/** What the package exports: a client of the agent's socket. It loads no dependency at run time. */
export { AgentError } from '../base/errors.ts';
export type { ErrorDetails, ErrorKind } from '../base/errors.ts';
export type * from '../api/signing-backend.ts';
export type { Principal, Scope } from '../api/principal.ts';
export type {
  AgentClient,
  CallOptions,
  ConnectOptions,
  KeyCallOptions,
  KeyringCallOptions,
} from './agent-client.ts';
export type { ApiKeySecret, ApiKeySource } from './api-key.ts';
export { connect } from './connect.ts';
export { ConnectionError } from './connection-error.ts';
export type { ConnectionFailure } from './connection-error.ts';
export { RemoteBackend } from './remote-backend.ts';
export type { NextChange } from '../api/status.ts';
export type { AgentStatus, KeyringStatus } from '../api/status.ts';
