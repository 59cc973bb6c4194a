import type { Readable, Writable } from 'node:stream';
import type { AgentSession } from './agent-session.ts';

/** What a command line has of the world. */
export interface Terminal {
  readonly stdin: Readable & {
    readonly isTTY?: boolean;
    /** Of a terminal: whether what is typed comes at once, unedited and without echo. */
    setRawMode?(raw: boolean): unknown;
  };
  readonly stdout: Writable & { readonly isTTY?: boolean };
  readonly stderr: Writable & { readonly isTTY?: boolean };
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Milliseconds since the Unix epoch. */
  readonly now: () => number;
}

/** The flags that stand before every command, or behind it, and what they name. */
export interface GlobalOptions {
  readonly socket?: string;
  /** Login name or uid: whom secrets may be sent to, beside root and this user. */
  readonly agentUser?: string;
  /** The last one, where several are given. */
  readonly keyring?: string;
  readonly json?: true;
  /** Every --keyring, in order, for commands that are about several. */
  readonly keyrings: readonly string[];
  /** The API key that connections authenticate with: what --api-key-file names, read when it is asked for. */
  readonly apiKey: (() => Promise<Buffer>) | undefined;
  /** What the command asks the agent on; closed when the command is done. */
  readonly session: AgentSession;
}

/** One command as it was called. `options` are its own, under commander's camelCase names. */
export interface Invocation<Options = object> {
  readonly terminal: Terminal;
  readonly globals: GlobalOptions;
  /** Positional arguments; one that was left out is undefined, those of a list stand one by one. */
  readonly args: readonly (string | undefined)[];
  readonly options: Options;
}

/** A command's work; answers the exit code (docs/configuration.md, "agentctl"). */
export type CommandRun<Options> = (invocation: Invocation<Options>) => Promise<number>;
