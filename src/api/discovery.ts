import type { JsonObject } from './jwt.ts';

/**
 * The result of `rpc.discover`: an OpenRPC document (OpenRPC 1.3), whose schemas are JSON Schema draft 7. What
 * OpenRPC has no word for stands in members that begin with `x-`.
 */
export interface OpenRpcDocument {
  /** The version of OpenRPC. */
  readonly openrpc: string;
  /** `version`: the agent's. */
  readonly info: { readonly title: string; readonly version: string; readonly description: string };
  /** In the order of the catalogue. */
  readonly methods: readonly JsonObject[];
  /** `errors`: one a kind. */
  readonly components: { readonly errors: Readonly<Record<string, JsonObject>> };
  /** By kind: whether repeating the call helps, and what an operator does. */
  readonly 'x-errors': Readonly<Record<string, JsonObject>>;
}
