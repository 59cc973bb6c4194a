import type { MethodName } from '../api/methods.ts';
import { agentCalls } from './agent-calls.ts';
import type { AgentClient } from './agent-client.ts';
import { apiKeyCalls } from './api-key-calls.ts';
import { backupCalls } from './backup-calls.ts';
import { clientKeyCalls } from './client-key-calls.ts';
import { clusterCalls } from './cluster-calls.ts';
import { formatCalls } from './format-calls.ts';
import { joinTokenCalls } from './join-token-calls.ts';
import { jwtCalls } from './jwt-calls.ts';
import { keyringCalls } from './keyring-calls.ts';
import type { Transport } from './transport.ts';
import { Wire } from './wire.ts';

type CamelCase<Name extends string> = Name extends `${infer Head}_${infer Tail}`
  ? `${Head}${Capitalize<CamelCase<Tail>>}`
  : Name;
type WithoutPrefix<Name extends string> = Name extends `rpc.${infer Rest}` ? Rest : Name;

/** The name of a method's function: `sign_batch` is `signBatch`, `rpc.discover` is `discover`. */
type FunctionName = CamelCase<WithoutPrefix<MethodName>>;
type Calls = Readonly<Record<FunctionName, (...params: never[]) => Promise<unknown>>>;

/** `keyring`: of calls that name none. */
export function clientOver(transport: Transport, keyring: string | undefined): AgentClient {
  const wire = new Wire(transport, keyring);
  const calls = oneEach({
    ...keyringCalls(wire),
    ...formatCalls(wire),
    ...jwtCalls(wire),
    ...agentCalls(wire),
    ...apiKeyCalls(wire),
    ...clientKeyCalls(wire),
    ...backupCalls(wire),
    ...clusterCalls(wire),
    ...joinTokenCalls(wire),
  });
  return {
    ...calls,
    call: (method, params = {}, options = {}) => transport.call(method, params, options),
    close: () => transport.close(),
  };
}

/** A client that does not have exactly one function a method of the catalogue does not compile here. */
function oneEach<Given extends Calls>(
  given: Given & Readonly<Record<Exclude<keyof Given, FunctionName>, never>>,
): Given {
  return given;
}
