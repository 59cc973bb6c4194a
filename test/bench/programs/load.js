// Load generator, a process of its own: so many connections, each with so many requests in flight. Told what to do over
// IPC: {socket, keyrings, connections, depth, seconds | count, batch, bytes, apiKeys} → {signatures, seconds, perSecond,
// medianUs, p99Us}. `keyrings` and `apiKeys` are given to the connections in turn; `batch`: messages of a `sign_batch`,
// 0 for `sign`; `bytes`: of a message; `count`: of requests.
import { connect } from 'node:net';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';

const mostConnecting = 100;
/** Milliseconds until it is tried again. */
const pause = 5;

process.on('message', (order) => {
  drive(order).then(
    (result) => process.send(result),
    (failure) => process.send({ failure: failure.message }),
  );
});

async function drive(order) {
  const { connections, depth, seconds, count = Infinity, batch = 0 } = order;
  const clients = [];
  while (clients.length < connections) {
    const more = Math.min(mostConnecting, connections - clients.length);
    const next = Array.from({ length: more }, (_, at) => connectOne(order, clients.length + at));
    clients.push(...(await Promise.all(next)));
  }
  const latencies = [];
  const started = performance.now();
  const end = started + (seconds ?? 3600) * 1000;
  let sent = 0;
  let answered = 0;
  await Promise.all(clients.map((one) => keepBusy(one)));
  const taken = (performance.now() - started) / 1000;
  for (const { client } of clients) client.destroy();
  latencies.sort((a, b) => a - b);
  const signatures = answered * Math.max(batch, 1);
  return {
    signatures,
    seconds: taken,
    perSecond: signatures / taken,
    medianUs: latencies[Math.floor(latencies.length / 2)] * 1000,
    p99Us: latencies[Math.floor(latencies.length * 0.99)] * 1000,
  };

  function keepBusy({ client, request }) {
    return new Promise((resolve, reject) => {
      let inFlight = 0;
      const at = []; // answers may change places within a depth; over many requests the times still hold
      const send = (room) => {
        const now = performance.now();
        const more = now < end ? Math.min(room, count - sent) : 0;
        for (let n = 0; n < more; n += 1) at.push(now);
        sent += more;
        inFlight += more;
        if (more > 0) client.write(request(more));
        else if (inFlight === 0) resolve();
      };
      client.on('error', reject);
      client.on('close', () => reject(new Error('the agent closed a connection')));
      client.on('data', (chunk) => {
        if (chunk.includes('"error"')) {
          reject(new Error(`the agent answered ${chunk.toString().split('\n')[0]}`));
          return;
        }
        let lines = 0;
        for (let from = chunk.indexOf(10); from !== -1; from = chunk.indexOf(10, from + 1))
          lines += 1;
        const now = performance.now();
        for (const then of at.splice(0, lines)) latencies.push(now - then);
        answered += lines;
        inFlight -= lines;
        send(lines);
      });
      send(depth);
    });
  }
}

async function connectOne(order, at) {
  const client = await connected(order.socket);
  const secret = order.apiKeys?.[at % order.apiKeys.length];
  if (secret !== undefined) await authenticate(client, secret);
  return { client, request: requestOf(order, order.keyrings[at % order.keyrings.length]) };
}

/** A listening socket holds so many that were not accepted yet; beyond them connecting fails at once. */
async function connected(socket) {
  for (;;) {
    const client = connect(socket);
    try {
      await once(client, 'connect');
      return client;
    } catch (failure) {
      if (failure.code !== 'EAGAIN') throw failure;
      await sleep(pause);
    }
  }
}

const lines = new Map();

/** A function that answers the bytes of so many requests. */
function requestOf({ batch = 0, bytes = 32 }, keyring) {
  const name = `${batch} ${bytes} ${keyring}`;
  const known = lines.get(name);
  if (known !== undefined) return known;
  const message = Buffer.alloc(bytes, 7).toString('base64url');
  const [method, params] =
    batch === 0
      ? ['sign', { keyring, message_b64: message }]
      : ['sign_batch', { keyring, messages_b64: Array.from({ length: batch }, () => message) }];
  const line = Buffer.from(`${JSON.stringify({ jsonrpc: '2.0', id: 1, method, params })}\n`);
  const made = new Map([[1, line]]);
  const request = (count) => {
    let all = made.get(count);
    if (all === undefined) {
      all = Buffer.concat(Array.from({ length: count }, () => line));
      made.set(count, all);
    }
    return all;
  };
  lines.set(name, request);
  return request;
}

async function authenticate(client, secret) {
  const params = { api_key: secret };
  client.write(`${JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'authenticate', params })}\n`);
  const [answer] = await once(client, 'data');
  if (answer.includes('"error"')) throw new Error(`the agent answered ${answer}`);
}
