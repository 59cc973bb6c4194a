// Issues a token for whoever has logged in: node issue.mjs SUBJECT AUDIENCE
import { AgentError, connect } from 'signing-agent-client';

const [subject, audience] = process.argv.slice(2);
if (audience === undefined) throw new Error('usage: issue.mjs SUBJECT AUDIENCE');

const agent = await connect({ keyring: 'tokens', timeoutMs: 2000 });
try {
  // The agent sets iss (as configured), iat, nbf, exp, jti and kid.
  const { token } = await agent.jwtSign({ role: 'reader' }, { ttlSeconds: 300, subject, audience });
  process.stdout.write(`${token}\n`);
} catch (failure) {
  if (!(failure instanceof AgentError)) throw failure;
  process.stderr.write(`refused (${failure.kind}): ${failure.message}\n`);
  process.exitCode = 1;
} finally {
  await agent.close();
}
