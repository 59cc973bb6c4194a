import type { Stats } from 'node:fs';
import { connect } from 'node:net';
import type { SocketFileSettings } from '../../../config/settings.ts';
import { describeFailure, errnoName } from '../../../base/errors.ts';
import { lstatOrNull, requireTrustedParent } from '../../../files/ownership.ts';
import { failure, failureOf, ok, warning, type Finding } from '../../../base/finding.ts';

/** A connection to a local socket is made at once, or waits in a full queue. Milliseconds. */
const patience = 2000;

/**
 * `running`: whether an agent holds the state dir; null: not known. `subject`: its table in the configuration.
 * `accepts`: somebody can be asked there.
 */
export async function checkSocket(
  { path, mode }: Pick<SocketFileSettings, 'path' | 'mode'>,
  running: boolean | null,
  subject: string,
): Promise<{ readonly finding: Finding; readonly accepts: boolean }> {
  try {
    const { inode, finding } = fileFault(subject, path, running);
    if (finding !== null) return { finding, accepts: false };
    const fault = await connectionFault(path);
    if (fault !== null) return { finding: notConnected(subject, path, fault), accepts: false };
    const found = inode.mode & 0o777;
    return { finding: accepting(subject, path, found, mode, running), accepts: true };
  } catch (thrown) {
    return { finding: failureOf(subject, thrown), accepts: false };
  }
}

type FileFault =
  | { readonly inode: Stats; readonly finding: null }
  | { readonly inode: null; readonly finding: Finding };

function fileFault(subject: string, path: string, running: boolean | null): FileFault {
  const inode = lstatOrNull(path);
  if (inode === null) return { inode, finding: missing(subject, path, running) };
  if (!inode.isSocket()) {
    return { inode: null, finding: failure(subject, `${path} is not a socket: move it away`) };
  }
  requireTrustedParent(path);
  return { inode, finding: null };
}

function missing(subject: string, path: string, running: boolean | null): Finding {
  if (running === null) return warning(subject, `${path} is not there: start the agent`);
  return running
    ? failure(
        subject,
        `an agent runs, and ${path} is not there: it serves another path (--socket), or someone removed the file: restart it`,
      )
    : warning(subject, `${path} is not there, since no agent runs: start it`);
}

function notConnected(subject: string, path: string, fault: string): Finding {
  if (fault === 'ECONNREFUSED') {
    return warning(subject, `nobody listens on ${path}: start the agent, which replaces the file`);
  }
  const remedy =
    fault === 'EACCES' || fault === 'EPERM'
      ? "run doctor as the agent's user"
      : 'restart the agent, and see its log';
  return failure(subject, `${path} cannot be connected to: ${fault}: ${remedy}`);
}

function accepting(
  subject: string,
  path: string,
  found: number,
  mode: number,
  running: boolean | null,
): Finding {
  if (found !== mode) {
    return warning(
      subject,
      `${path} has mode ${octal(found)}, the configuration says ${octal(mode)}: restart the agent`,
    );
  }
  return running === false
    ? warning(
        subject,
        `someone listens on ${path}, but no agent holds this state dir: it is another agent's`,
      )
    : ok(subject, `someone listens on ${path}, mode ${octal(mode)}`);
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
