import { spawn } from 'node:child_process';
import { programFile } from '../../base/installed.ts';
import type { TokenSettings } from './place.ts';
import { keepFilesFromChildren } from '../../native/inherited-files.ts';
import { hostEnvironment } from '../host/host-environment.ts';
import type { ModuleProbe, ProbeRequest } from './token/probe.ts';

/** A device that wakes up first takes seconds; a module that hangs takes for ever. Milliseconds. */
const deadline = 10_000;
/** Modules print too, and none needs more. Bytes. */
const longestAnswer = 1024 * 1024;

/**
 * Loads the module at that path somewhere else than here, and looks for the keyring's token. Never logs in. Vendor code
 * may crash, hang or print: it is loaded into a child process, which has the environment that a vault host would have.
 * What the child does not answer in time is part of the finding.
 */
export async function probeInChild(
  env: Readonly<Record<string, string | undefined>>,
  path: string,
  {
    uri,
    algorithm,
    environment,
    libraryParameters,
  }: Pick<TokenSettings, 'uri' | 'algorithm' | 'environment' | 'libraryParameters'>,
): Promise<ModuleProbe> {
  const program = programFile('module-probe');
  const { token, serial, manufacturer, model } = uri;
  const request: ProbeRequest = {
    path,
    algorithm,
    uri: { token, serial, manufacturer, model },
    libraryParameters,
  };
  keepFilesFromChildren();
  const child = spawn(process.execPath, [program], {
    env: hostEnvironment(env, environment, 2),
    stdio: ['pipe', 'pipe', 'ignore'],
    cwd: '/',
  });
  return new Promise((resolve) => {
    const notLoaded = (reason: string): void => {
      resolve({ outcome: 'not_loaded', reason });
    };
    const timer = setTimeout(() => {
      child.kill('SIGKILL');
      notLoaded(
        `${path} did not answer for ${deadline / 1000} s: the device or its service hangs. Restart that service (such as pcscd), or plug the device in again`,
      );
    }, deadline);
    let answer = '';
    child.stdout.on('data', (text: Buffer) => {
      answer = (answer + text.toString()).slice(-longestAnswer);
    });
    child.stdin.on('error', () => null); // its end says the same
    child.stdin.end(JSON.stringify(request));
    child.once('error', (error) => {
      clearTimeout(timer);
      notLoaded(
        `the probe could not be started: ${error.message}. Make sure of free memory and processes (ulimit -u)`,
      );
    });
    child.once('close', (code, signal) => {
      clearTimeout(timer);
      const probe = answerIn(answer);
      if (probe !== null) resolve(probe);
      else
        notLoaded(
          `${path} ended the process that loaded it (${signal ?? `exit code ${String(code)}`}). Install it again or update it, and make sure of its own configuration`,
        );
    });
  });
}

/** The last line: what is before it a module has printed. null where there is none. */
function answerIn(text: string): ModuleProbe | null {
  const line = text.trimEnd().split('\n').at(-1) ?? '';
  try {
    return JSON.parse(line) as ModuleProbe;
  } catch {
    return null;
  }
}
