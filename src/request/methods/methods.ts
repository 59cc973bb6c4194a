import { agentMethods } from './agent-methods.ts';
import { apiKeyMethods } from './api-key-methods.ts';
import { backupMethods } from './backup-methods.ts';
import { clientKeyMethods } from './client-key-methods.ts';
import { jwtMethods } from './jwt-methods.ts';
import { clusterMethods } from './cluster-methods.ts';
import { joinTokenMethods } from './join-token-methods.ts';
import { keyringMethods } from './keyring-methods.ts';
import type { Method } from '../method.ts';
import { trustMethods } from './trust-methods.ts';

/** Every method of the socket. Nothing else can be called. */
export const methods: ReadonlyMap<string, Method> = new Map(
  Object.entries({
    ...keyringMethods,
    ...jwtMethods,
    ...agentMethods,
    ...apiKeyMethods,
    ...clientKeyMethods,
    ...backupMethods,
    ...clusterMethods,
    ...trustMethods,
    ...joinTokenMethods,
  }),
);
