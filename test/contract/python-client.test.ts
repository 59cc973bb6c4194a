import { execFile, spawn } from 'node:child_process';
import { chownSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { algorithms } from '../../src/algorithms/algorithm.ts';
import { methodCatalogue } from '../../src/api/methods.ts';
import { decodeBase64 } from '../../src/base/base64.ts';
import { FakeAgent } from '../support/fake-agent.ts';
import { InProcessAgent } from '../support/in-process-agent.ts';
import { LineClient } from '../support/line-client.ts';
import { methodParams } from '../support/method-params.ts';
import { documentOf, methodsOf } from '../support/openrpc.ts';

/** examples/python against an agent, and against listeners that are none. */

const client = fileURLToPath(new URL('../../examples/python/signing_agent.py', import.meta.url));
const run = promisify(execFile);

let agent: InProcessAgent;
let folder: string;
beforeAll(async () => {
  agent = await new InProcessAgent().start();
});
afterAll(() => agent.remove());
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'python-'));
});
afterEach(() => {
  rmSync(folder, { recursive: true });
});

const environment = (socket: string): NodeJS.ProcessEnv => ({
  ...{ PATH: process.env['PATH'], SIGNING_AGENT_SOCK: socket },
  ...{ PYTHONPATH: dirname(client), PYTHONDONTWRITEBYTECODE: '1' },
});
async function python(args: readonly string[], socket = agent.socket): Promise<string> {
  return (await run('python3', [...args], { env: environment(socket), timeout: 60_000 })).stdout;
}
/** A program that has the client's names. */
const script = (lines: string, socket?: string): Promise<string> =>
  python(['-c', `from signing_agent import *\n${lines}`], socket);

async function resultOf(method: string, params: object): Promise<Record<string, unknown>> {
  const line = await LineClient.open(agent.socket);
  const { result = {} } = await line.call(method, params);
  line.close();
  return result;
}

const nobody = 65534;
/** A listener that prints all that one connection sends. */
const listening = `
import socket, sys
listener = socket.socket(socket.AF_UNIX)
listener.bind(sys.argv[1])
listener.listen()
print("listens", flush=True)
print(listener.accept()[0].makefile("rb").read())
`;

test('files are signed over one connection, and each signature is of its file', async () => {
  const paths = Array.from({ length: 300 }, (_, at) => join(folder, `file-${at}`));
  for (const [at, path] of paths.entries()) writeFileSync(path, Buffer.alloc(at, at));
  const before = (await resultOf('status', {}))['connections'] as { accepted: number };
  const lines = (await python([client, ...paths])).trimEnd().split('\n');
  const after = (await resultOf('status', {}))['connections'] as { accepted: number };
  // The client's, and that of the question.
  expect(after.accepted - before.accepted).toBe(2);

  const { kid } = await resultOf('active_key_id', {});
  const { public_key_b64: key } = await resultOf('public_key_b64', { kid });
  const publicKey = decodeBase64(String(key)) ?? Buffer.alloc(0);
  expect(lines).toHaveLength(paths.length);
  for (const [at, path] of paths.entries()) {
    const [name, signature_b64 = ''] = (lines[at] ?? '').split(' ');
    expect(name).toBe(path);
    const signature = decodeBase64(signature_b64) ?? Buffer.alloc(0);
    expect(algorithms.ed25519.verify(readFileSync(path), signature, publicKey)).toBe(true);
  }
});

test('its README shows what it does', async () => {
  const readme = readFileSync(join(dirname(client), 'README.md'), 'utf8');
  const [, example = ''] = /^```python\n([^]*?)^```/m.exec(readme) ?? [];
  expect(await script(example)).toBe('64 1 not_found\n');
});

test('it is under 120 lines', () => {
  expect(readFileSync(client, 'utf8').trimEnd().split('\n').length).toBeLessThan(120);
});

test('a refusal has its kind and its data', async () => {
  const said = await script(`
with Agent() as agent:
    try:
        agent.call("sign", mesage="x")
    except AgentError as error:
        print(error.kind, [issue["field"] for issue in error.data["issues"]])
    try:
        agent.authenticate("sa_nobody_0")
    except AgentError as error:
        print(error.kind)
`);
  expect(said).toBe("invalid_params ['message_b64', 'mesage']\nunauthenticated\n");
});

test('an API key gives what it is for', async () => {
  const { secret } = await resultOf('apikey_create', { id: 'reader', scope: 'reader' });
  const said = await script(`
with Agent() as agent:
    print(agent.authenticate("${String(secret)}")["principal"]["name"])
    try:
        agent.sign(b"hello")
    except AgentError as error:
        print(error.kind, error.data["needs"])
`);
  expect(said).toBe('reader\nforbidden app\n');
});

test('it calls every method that rpc.discover names, and each answers what the document says', async () => {
  const other = await new InProcessAgent().start();
  const given = JSON.stringify(JSON.stringify(methodParams));
  const said = await script(
    `
import json
given = json.loads(${given})
with Agent() as agent:
    document = agent.call("rpc.discover")
    answered = []
    for method in document["methods"]:
        try:
            agent.call(method["name"], **given.get(method["name"], {}))
            answered.append([method["name"], None])
        except AgentError as error:
            answered.append([method["name"], error.kind])
        except ConnectionLost as lost:
            answered.append([method["name"], str(lost)])
print(json.dumps(answered))
`,
    other.socket,
  );
  await other.remove();
  const document = await documentOf('0.0.0');
  const answered = JSON.parse(said) as readonly (readonly [string, string | null])[];
  expect(answered.map(([name]) => name)).toEqual(Object.keys(methodCatalogue));
  expect(answered.filter(([, kind]) => kind === null).length).toBeGreaterThan(25);
  for (const { name, errors } of methodsOf(document)) {
    const kind = answered.find(([method]) => method === name)?.[1];
    const documented = errors.map(({ $ref }) => $ref.split('/').at(-1));
    if (kind !== null) expect(documented, name).toContain(kind);
  }
});

test('whoever waits for an answer is told that the connection ended', async () => {
  const listener = await FakeAgent.start((_request, _reply, socket) => {
    socket.destroy();
  });
  const said = await script(
    `
with Agent() as agent:
    try:
        agent.call("rotate", grace_seconds=0)
    except ConnectionLost as lost:
        print("lost:", lost)
    try:
        agent.call("ping")
    except ConnectionLost:
        print("lost")
`,
    listener.path,
  );
  await listener.remove();
  expect(said).toBe('lost: the agent closed the connection\nlost\n');
});

test('what the agent says of the connection is told to all that wait', async () => {
  const said = await script(`
with Agent() as agent:
    try:
        agent.call("sign", message_b64="A" * 300000)
    except AgentError as error:
        print(error.kind, error.data["limit"])
`);
  expect(said).toBe('too_large 262144\n');
});

test('an API key is not told to a listener of another user', async () => {
  const socket = join(folder, 'theirs.sock');
  chownSync(folder, nobody, nobody);
  const listener = spawn('python3', ['-c', listening, socket], {
    ...{ stdio: ['ignore', 'pipe', 'inherit'], uid: nobody, gid: nobody },
  });
  const lines = createInterface({ input: listener.stdout })[Symbol.asyncIterator]();
  expect((await lines.next()).value).toBe('listens');
  const said = await script(
    `
with Agent() as agent:
    try:
        agent.authenticate("secret")
    except PermissionError as refused:
        print(refused)
`,
    socket,
  );
  expect(said).toBe(`the listener is of uid ${nobody}: the API key was not sent\n`);
  expect((await lines.next()).value).toBe("b''");
});
