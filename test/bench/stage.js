// What several parts of a run share. Each thing is made when the first part asks for it.
import { join } from 'node:path';
import { configureAgent, makeToken, onFile, onToken } from './agents.js';
import { buildC } from './build-c.js';
import { measureWith, worker } from './processes.js';

/** `folder` is there and empty; `seconds` is how long each contestant is measured. */
export function openStage({ folder, seconds, progress }) {
  const once = (make) => {
    let made = null;
    return () => (made ??= make());
  };
  const programs = once(() => {
    progress('compiling the C programs');
    return buildC(folder);
  });
  const load = once(() => Promise.resolve(worker('load.js')));
  const sign = async (socket, order) => (await load()).order({ socket, ...order });
  const direct = async ({ modulePath, pinFile, label, environment }, threads, time) => {
    const args = [modulePath, pinFile, label, String(threads), String(time)];
    return measureWith((await programs()).direct, args, { seconds: time, environment });
  };
  const token = once(async () => {
    progress('making a SoftHSM token');
    const made = await makeToken(join(folder, 'token'));
    await direct(made, 1, 0.1); // makes its key, before anyone else opens the token
    return made;
  });
  const agent = once(async () => {
    const used = await token();
    const keyrings = { file: onFile, softhsm: onToken(used) };
    const configured = configureAgent(join(folder, 'agent'), { keyrings, token: used });
    progress('starting the agent');
    const { pid } = await configured.start();
    for (const keyring of Object.keys(keyrings)) {
      await sign(configured.socket, { keyring, ...warmUp });
    }
    return { pid, socket: configured.socket };
  });
  return {
    folder,
    seconds,
    progress,
    programs,
    /** An agent with the keyrings `file` and `softhsm`, used by every part that needs nothing special of it. */
    agent,
    /** Signs as load.js does. */
    sign,
    /** direct.c, signing with `threads` threads on a token. */
    direct: async (threads) => direct(await token(), threads, seconds),
    /** roundtrip.c in one of the modes that measure. */
    roundtrip: async (mode, socket, last) => {
      const args = [mode, socket, String(seconds), String(last)];
      return measureWith((await programs()).roundtrip, args, { seconds });
    },
  };
}

/** What an agent is given before it is measured: V8 compiles what runs often. */
export const warmUp = { connections: 8, depth: 16, seconds: 0.5 };
