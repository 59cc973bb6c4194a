import { userInfo } from 'node:os';
import { describe, expect, it } from 'vitest';
import {
  clientSocketPath,
  defaultSocketPath,
  defaultStateDir,
  homeDir,
} from '../../src/base/default-paths.ts';

const user = 1000;
const home = { HOME: '/home/ann' };
const nowhere = (): boolean => false;

describe('the default places', () => {
  it('are fixed for root, whatever the environment says', () => {
    const env = { HOME: '/root', XDG_STATE_HOME: '/s', XDG_RUNTIME_DIR: '/r' };
    expect(defaultStateDir(env, 0)).toBe('/var/lib/signing-agent');
    expect(defaultSocketPath(env, 0, () => '/elsewhere')).toBe('/run/signing-agent/agent.sock');
  });

  it('follow the XDG variables for everyone else', () => {
    const env = { ...home, XDG_STATE_HOME: '/s', XDG_RUNTIME_DIR: '/run/user/1000' };
    expect(defaultStateDir(env, user)).toBe('/s/signing-agent');
    expect(defaultSocketPath(env, user, () => '/s/signing-agent')).toBe(
      '/run/user/1000/signing-agent/agent.sock',
    );
  });

  it('lie in the home directory where the variables are unset, empty or relative', () => {
    for (const unset of [undefined, '', 'state']) {
      const env = { ...home, XDG_STATE_HOME: unset, XDG_RUNTIME_DIR: unset };
      expect(defaultStateDir(env, user)).toBe('/home/ann/.local/state/signing-agent');
      expect(clientSocketPath(env, user, nowhere)).toBe(
        '/home/ann/.local/state/signing-agent/agent.sock',
      );
    }
  });

  it('are those of the account where HOME is unset, empty or relative, wherever the program is started', () => {
    const { homedir } = userInfo();
    for (const HOME of [undefined, '', 'ann', './ann', '~']) {
      expect(homeDir({ HOME })).toBe(homedir);
      const state = `${homedir}/.local/state/signing-agent`;
      expect(defaultStateDir({ HOME }, user)).toBe(state);
      expect(clientSocketPath({ HOME }, user, nowhere)).toBe(`${state}/agent.sock`);
    }
  });

  it('are those that a service manager has made, for root and everyone else', () => {
    const env = { ...home, STATE_DIRECTORY: '/var/lib/a:/var/lib/b', RUNTIME_DIRECTORY: '/run/a' };
    for (const uid of [0, user]) {
      expect(defaultStateDir(env, uid)).toBe('/var/lib/a');
      expect(defaultSocketPath(env, uid, () => '/elsewhere')).toBe('/run/a/agent.sock');
    }
  });

  it('are those of the agent that is installed for all, where this user has none', () => {
    const installed = '/run/signing-agent/agent.sock';
    const own = '/home/ann/.local/state/signing-agent/agent.sock';
    expect(clientSocketPath(home, user, (path) => path === installed)).toBe(installed);
    expect(clientSocketPath(home, user, () => true)).toBe(own);
    const stopped = [installed, '/home/ann/.local/state/signing-agent'];
    expect(clientSocketPath(home, user, (path) => stopped.includes(path))).toBe(own);
  });

  it('give way to SIGNING_AGENT_SOCK', () => {
    expect(clientSocketPath({ ...home, SIGNING_AGENT_SOCK: '/x.sock' }, user, nowhere)).toBe(
      '/x.sock',
    );
    expect(clientSocketPath({ ...home, SIGNING_AGENT_SOCK: '' }, 0, nowhere)).toBe(
      '/run/signing-agent/agent.sock',
    );
  });
});
