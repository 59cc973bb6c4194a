import { readFileSync, statSync } from 'node:fs';
import { afterAll, beforeAll } from 'vitest';
import { connect } from '../../src/client/connect.ts';
import { RemoteBackend } from '../../src/client/remote-backend.ts';
import { InProcessAgent } from '../support/in-process-agent.ts';
import { makeToken, type SoftHsmToken } from '../support/softhsm.ts';
import { signingBackendSuite, type Subject } from './signing-backend-suite.ts';

let token: SoftHsmToken;
let made = 0;
beforeAll(async () => {
  token = await makeToken();
  token.use();
});
afterAll(async () => {
  await token.remove();
});

/** The keyring of an agent behind its socket. */
async function subject(name: string, config: string): Promise<Subject> {
  const running = await new InProcessAgent(config).start();
  const clients: { close(): Promise<void> }[] = [];
  const open = async (): Promise<RemoteBackend> => {
    const client = await connect({ socket: running.socket });
    clients.push(client);
    return new RemoteBackend(client, name);
  };
  const backend = await open();
  return {
    backend,
    clock: running.clock,
    another: open,
    reopen: async () => {
      await running.stop();
      await running.start();
      return backend; // the same client: it connects again by itself
    },
    savedVersion: () => {
      const path = running.stateFile(name);
      return `${statSync(path).ino} ${readFileSync(path, 'utf8')}`;
    },
    close: async () => {
      for (const client of clients) await client.close();
      await running.remove();
    },
  };
}

signingBackendSuite('RemoteBackend of a file keyring', () =>
  subject('default', '[keyrings.default]\nbackend = "file"\n'),
);

signingBackendSuite('RemoteBackend of a SoftHSM keyring', () => {
  made += 1;
  const name = `ring-${made}`;
  return subject(name, `[keyrings.${name}]\nbackend = "pkcs11"\nuri = "${token.uri}"\n`);
});
