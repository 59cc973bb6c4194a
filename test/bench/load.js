// Load generator, a process of its own: so many connections, each with so many `sign` requests in flight.
// Told what to do over IPC: {socket, keyring, connections, depth, seconds | count} → {signatures, seconds, median, p99}.
import { connect } from 'node:net';
import { once } from 'node:events';

process.on('message', (order) => {
  drive(order).then(
    (result) => process.send(result),
    (failure) => process.send({ failure: failure.message }),
  );
});

async function drive({ socket, keyring, connections, depth, seconds, count = Infinity }) {
  const message_b64 = Buffer.alloc(32, 7).toString('base64url');
  const line = `${JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'sign', params: { keyring, message_b64 } })}\n`;
  const sockets = await Promise.all(
    Array.from({ length: connections }, async () => {
      const client = connect(socket);
      await once(client, 'connect');
      return client;
    }),
  );
  const latencies = [];
  const started = performance.now();
  const end = started + (seconds ?? 3600) * 1000;
  let sent = 0;
  let answered = 0;
  await Promise.all(sockets.map((client) => keepBusy(client)));
  const taken = (performance.now() - started) / 1000;
  for (const client of sockets) client.destroy();
  latencies.sort((a, b) => a - b);
  return {
    signatures: answered,
    seconds: taken,
    perSecond: answered / taken,
    median: latencies[Math.floor(latencies.length / 2)],
    p99: latencies[Math.floor(latencies.length * 0.99)],
  };

  function keepBusy(client) {
    return new Promise((resolve, reject) => {
      let inFlight = 0;
      const at = []; // answers may change places within a depth; over many requests the times still hold
      const send = (room) => {
        const now = performance.now();
        const more = now < end ? Math.min(room, count - sent) : 0;
        for (let n = 0; n < more; n += 1) at.push(now);
        sent += more;
        inFlight += more;
        if (more > 0) client.write(line.repeat(more));
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
