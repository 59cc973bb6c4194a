import { ConnectionError } from '../../client/connection-error.ts';
import { NoHomeError } from '../../base/default-paths.ts';
import { AgentError, describeFailure, type ErrorDetails } from '../../base/errors.ts';
import { escapeControls, jsonText } from './text.ts';
import type { Terminal } from './terminal.ts';

/** Exit codes, as agentctl(1) has them. */
export const exitCodes = {
  done: 0,
  /** The agent refused or failed, or what was asked for could not be finished here. */
  failed: 1,
  usage: 2,
  /** No agent answers at the socket. A connection lost on the way is `failed`: something may have been done. */
  unreachable: 3,
  notAuthorised: 4,
  notVerified: 5,
  /** By Ctrl-C, as shells have it. */
  interrupted: 130,
} as const;

/** The command line, or a file that it names, is not what the command can use. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** Ctrl-C at a question that turns it off as a signal. */
export class InterruptedError extends Error {
  override readonly name = 'InterruptedError';
}

/** The command could not do its work here, whatever the agent said. */
export class CommandError extends Error {
  override readonly name = 'CommandError';
}

/** What was to be verified does not hold; the message says what and where. */
export class NotVerifiedError extends Error {
  override readonly name = 'NotVerifiedError';
}

interface Failure {
  readonly kind: string;
  readonly exitCode: number;
  readonly details: ErrorDetails;
}

/**
 * Says on stderr what went wrong, `agentctl: MESSAGE`, and with `--json` once more as one line
 * `{"error":{"kind","message","exit_code",...details}}`. Answers the exit code.
 */
export function reportFailure(error: unknown, terminal: Terminal, json: boolean): number {
  const { kind, exitCode, details } = classify(error);
  const message = describeFailure(error);
  terminal.stderr.write(`agentctl: ${escapeControls(message)}\n`);
  if (json) {
    const report = { error: { ...details, kind, message, exit_code: exitCode } };
    terminal.stderr.write(`${jsonText(report)}\n`);
  }
  return exitCode;
}

function classify(error: unknown): Failure {
  if (error instanceof NoHomeError) {
    return { kind: 'usage', exitCode: exitCodes.usage, details: {} };
  }
  if (error instanceof AgentError) {
    const denied = error.kind === 'unauthenticated' || error.kind === 'forbidden';
    const exitCode = denied ? exitCodes.notAuthorised : exitCodes.failed;
    return { kind: error.kind, exitCode, details: error.details };
  }
  if (error instanceof ConnectionError) {
    const absent = error.reason === 'unreachable';
    const exitCode = absent ? exitCodes.unreachable : exitCodes.failed;
    return { kind: error.reason, exitCode, details: {} };
  }
  if (error instanceof UsageError) return { kind: 'usage', exitCode: exitCodes.usage, details: {} };
  if (error instanceof InterruptedError) {
    return { kind: 'interrupted', exitCode: exitCodes.interrupted, details: {} };
  }
  if (error instanceof NotVerifiedError) {
    return { kind: 'not_verified', exitCode: exitCodes.notVerified, details: {} };
  }
  return { kind: 'failed', exitCode: exitCodes.failed, details: {} };
}
