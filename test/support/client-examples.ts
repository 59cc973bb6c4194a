import { readFile } from 'node:fs/promises';
import { AgentError, connect, RemoteBackend, type SigningBackend } from '../../src/client/index.ts';

// The examples of the library's documentation, word for word, so that the compiler sees them and a test runs them.

export async function connectExample(): Promise<void> {
  const agent = await connect({
    keyring: 'ci',
    apiKey: async () => (await readFile('build-farm.key', 'utf8')).trim(),
  });
  const { kid, signature } = await agent.sign(Buffer.from('hello'));
  console.log(kid, signature.length);
  await agent.close();
}

export async function agentClientExample(): Promise<void> {
  const agent = await connect({ keyring: 'ci' });
  try {
    const { token } = await agent.jwtSign({ role: 'deploy' }, { ttlSeconds: 300 });
    const verdict = await agent.jwtVerify(token);
    console.log(verdict.valid ? verdict.claims : verdict.reason);
    await agent.rotate(3600);
  } catch (error) {
    if (error instanceof AgentError && error.kind === 'locked') console.log('unlock it first');
    else throw error;
  } finally {
    await agent.close();
  }
}

export async function remoteBackendExample(): Promise<void> {
  const agent = await connect();
  const backend: SigningBackend = new RemoteBackend(agent, 'ci');
  const { signature } = await backend.sign(Buffer.from('hello'));
  console.log(await backend.activeKeyId(), signature.length);
  await agent.close();
}

export async function documentExample(): Promise<void> {
  const agent = await connect(); // $SIGNING_AGENT_SOCK, else the agent's default
  const { kid, signature } = await agent.sign(Buffer.from('hello'));
  const publicKey = await agent.publicKeyB64(kid); // base64url of the raw key
  console.log(kid, publicKey, signature.length); // 64 bytes
  await agent.rotate(3600); // the key that has signed stays valid for an hour
  await agent.close();
}
