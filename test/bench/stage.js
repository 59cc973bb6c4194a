// What several parts of a run share. Each thing is made when the first part asks for it.
import { join } from 'node:path';
import { configureAgent, makeToken, onFile, onToken } from './agents.js';
import { meter } from './machine/cpu.js';
import { measureWith, worker } from './machine/processes.js';
import { buildC } from './programs/build-c.js';

/** `folder` is there and empty; `seconds` is how long each contestant is measured. */
export function openStage({ folder, seconds, signatures, minutes, progress }) {
  const once = (make) => {
    let made = null;
    return () => (made ??= make());
  };
  const programs = once(() => {
    progress('compiling the C programs');
    return buildC(folder);
  });
  const load = once(() => Promise.resolve(worker('load.js')));
  const sign = async (agent, { keyring, keyrings = [keyring], ...order }, by = null) => {
    const generator = by ?? (await load());
    const since = meter({
      agent: { pid: agent.pid, children: 'host' },
      load: { pid: generator.pid },
    });
    const result = await generator.order({ socket: agent.socket, keyrings, seconds, ...order });
    return { ...result, cpu: since(result.signatures) };
  };
  const loop = async (token, { threads = 1, algorithm = 'ed25519', time = seconds, at = 0 }) => {
    const { modulePath, pinFile, label, environment } = token;
    const what = [String(threads), String(time), algorithm, String(at)];
    const args = [modulePath, pinFile, label, ...what];
    return measureWith((await programs()).direct, args, { seconds: time, environment });
  };
  const token = once(async () => {
    progress('making a SoftHSM token');
    const made = await makeToken(join(folder, 'token'));
    await loop(made, { time: 0.1 }); // makes its key, before anyone else opens the token
    return made;
  });
  const warmUpAll = async (agent, keyrings) => {
    for (const keyring of keyrings) await sign(agent, { keyring, ...warmUp });
    return agent;
  };
  const agent = once(async () => {
    const used = await token();
    const keyrings = { file: onFile, softhsm: onToken(used) };
    const configured = configureAgent(join(folder, 'agent'), { keyrings, token: used });
    progress('starting the agent');
    return warmUpAll(await configured.start(), Object.keys(keyrings));
  });
  return {
    folder,
    seconds,
    signatures,
    minutes,
    progress,
    programs,
    /** An agent with the keyrings `file` and `softhsm`, used by every part that needs nothing special of it. */
    agent,
    /**
     * Signs as load.js does, by the shared load program or by one of one's own; the result has the CPU time a signature
     * too, of the agent, of its hosts and of the load program.
     */
    sign,
    /** Signs with each of these keyrings until V8 has compiled what runs often; answers the agent. */
    warmUpAll,
    /** direct.c on a token; `at`: when it begins, seconds as process.hrtime() has them. */
    loop,
    /** The same on the shared token. */
    direct: async (threads) => loop(await token(), { threads }),
    /** roundtrip.c in one of the modes that measure. */
    roundtrip: async (mode, socket, last) => {
      const args = [mode, socket, String(seconds), String(last)];
      return measureWith((await programs()).roundtrip, args, { seconds });
    },
  };
}

/** What an agent is given before it is measured: V8 compiles what runs often. */
export const warmUp = { connections: 8, depth: 16, seconds: 1 };
