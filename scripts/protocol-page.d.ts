import type { OpenRpcDocument } from '../src/api/discovery.ts';

/** docs/protocol.md as text, with its tables made anew. */
export function withTables(page: string, document: OpenRpcDocument): string;
