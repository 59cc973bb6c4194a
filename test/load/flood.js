// The flooding user, a process of its own. Told over IPC: {uid, sockets, kind, signed, connections, depth}, it answers
// {} once all connections are open and full; told {stop: true}, what came back: {answers, errors: kind → count}.
import { connect } from 'node:net';
import { requestOf } from './requests.js';

let flood = null;
process.on('message', (order) => {
  if (order.stop === true) process.send(flood.stop());
  else
    start(order).then(
      () => process.send({}),
      (failure) => process.send({ failure: failure.message }),
    );
});

async function start({ uid, sockets, kind, signed, connections, depth }) {
  process.setgroups([]);
  process.setgid(uid);
  process.setuid(uid);
  const { socket, frame, once = false, deaf = false } = requestOf(kind, signed);
  const result = { answers: 0, errors: {}, closed: 0 };
  let isStopped = false;
  const clients = [];
  flood = {
    stop() {
      isStopped = true;
      for (const client of clients) client.destroy();
      return result;
    },
  };
  const burst = Buffer.concat(Array.from({ length: once ? 1 : depth }, () => frame));
  for (let count = 0; count < connections; count += 1) {
    const client = connect(sockets[socket]);
    clients.push(client);
    client.on('error', () => undefined);
    client.on('close', () => {
      if (!isStopped) result.closed += 1;
    });
    await new Promise((resolve) => client.once('connect', resolve).once('error', resolve));
    if (deaf) {
      client.pause();
      const more = () => {
        if (!isStopped && !client.destroyed && client.write(burst)) setImmediate(more);
      };
      client.on('drain', more);
      more();
      continue;
    }
    client.write(burst);
    client.on('data', (chunk) => {
      const answers = socket === 'ssh' ? sshAnswers(chunk, result) : lineAnswers(chunk, result);
      result.answers += answers;
      if (!once && answers > 0) client.write(burst.subarray(0, answers * frame.length));
    });
  }
}

function lineAnswers(chunk, { errors }) {
  let lines = 0;
  for (let from = chunk.indexOf(10); from !== -1; from = chunk.indexOf(10, from + 1)) lines += 1;
  if (chunk.includes('"error"')) {
    for (const [, kind] of chunk.toString('latin1').matchAll(/"kind":"([a-z_]+)"/g)) {
      errors[kind] = (errors[kind] ?? 0) + 1;
    }
  }
  return lines;
}

/** Success and failure have five bytes each, the last one says which. */
function sshAnswers(chunk, { errors }) {
  const answers = Math.floor(chunk.length / 5);
  for (let at = 4; at < chunk.length; at += 5) {
    if (chunk[at] !== 6) errors.failure = (errors.failure ?? 0) + 1;
  }
  return answers;
}
