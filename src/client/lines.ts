import type { AgentError } from '../base/errors.ts';
import { agentErrorOf, asRecord } from './wire-error.ts';

/** An answer as it came: of `result` and `error` there is one. */
export interface Answer {
  readonly id: unknown;
  readonly result: unknown;
  readonly error: AgentError | null;
}

/** A request, with its newline. What is undefined in `params` is left out. */
export function requestLine(id: number, method: string, params: object): string {
  return `${JSON.stringify({ jsonrpc: '2.0', id, method, params })}\n`;
}

/** Null where the line is no JSON-RPC answer. */
export function readAnswer(line: string): Answer | null {
  let answer: Readonly<Record<string, unknown>> | null;
  try {
    answer = asRecord(JSON.parse(line));
  } catch {
    return null;
  }
  if (answer === null) return null;
  const { id, result } = answer;
  const error = answer['error'] === undefined ? null : agentErrorOf(answer['error']);
  return (result === undefined) === (error === null) ? null : { id, result, error };
}
