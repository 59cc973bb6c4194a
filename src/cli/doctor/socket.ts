import { connect } from 'node:net';
import type { Settings } from '../../config/settings.ts';
import { AgentError, describeFailure, errnoName } from '../../errors.ts';
import { lstatOrNull, requireTrustedParent } from '../../state/ownership.ts';
import { failure, ok, warning, type Finding } from './finding.ts';

const subject = 'socket';
/** A connection to a local socket is made at once, or waits in a full queue. Milliseconds. */
const patience = 2000;

/** `running`: whether an agent holds the state dir. */
export async function checkSocket(
  path: string,
  { mode }: Pick<Settings['socket'], 'mode'>,
  running: boolean,
): Promise<Finding> {
  const inode = lstatOrNull(path);
  if (inode === null) {
    return running
      ? failure(
          subject,
          `an agent runs, and ${path} is not there: it serves another path (--socket), or someone removed the file: restart it`,
        )
      : warning(subject, `${path} is not there, since no agent runs: start it`);
  }
  if (!inode.isSocket()) return failure(subject, `${path} is not a socket: move it away`);
  try {
    requireTrustedParent(path);
  } catch (thrown) {
    if (!(thrown instanceof AgentError)) throw thrown;
    return failure(subject, describeFailure(thrown));
  }
  const fault = await connectionFault(path);
  if (fault === 'ECONNREFUSED') {
    return warning(subject, `nobody listens on ${path}: start the agent, which replaces the file`);
  }
  if (fault !== null) return failure(subject, `${path} cannot be connected to: ${fault}`);
  const found = inode.mode & 0o777;
  if (found !== mode) {
    return warning(
      subject,
      `${path} has mode ${octal(found)}, the configuration says ${octal(mode)}: restart the agent`,
    );
  }
  return running
    ? ok(subject, `someone listens on ${path}, mode ${octal(mode)}`)
    : warning(
        subject,
        `someone listens on ${path}, but no agent holds this state dir: it is another agent's`,
      );
}

/** The errno's name, or a sentence; null where somebody accepts. A full queue is a living one. */
async function connectionFault(path: string): Promise<string | null> {
  return new Promise((resolve) => {
    const probe = connect(path);
    const settle = (fault: string | null): void => {
      probe.destroy();
      resolve(fault);
    };
    probe.setTimeout(patience, () => {
      settle(`nobody accepted for ${patience / 1000} s`);
    });
    probe.once('connect', () => {
      settle(null);
    });
    probe.once('error', (error) => {
      const errno = errnoName(error);
      settle(errno === 'EAGAIN' ? null : (errno ?? describeFailure(error)));
    });
  });
}

function octal(mode: number): string {
  return mode.toString(8).padStart(4, '0');
}
