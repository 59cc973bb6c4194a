// A well-behaved caller, a process of its own: signs once at a time, and waits between. Told over IPC {uid, socket,
// seconds}, it answers {latencies: milliseconds, refused: kind → count, signature}.
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

/** Between one answer and the next request, milliseconds. */
const rest = 2;
/** An answer is waited for so long at most, milliseconds: as long counts one that does not come. */
const longest = 10_000;
let became = null;

process.on('message', (order) => {
  call(order).then(
    (result) => process.send(result),
    (failure) => process.send({ failure: failure.message }),
  );
});

async function call({ uid, socket, seconds }) {
  if (became === null && uid !== 0) {
    process.setgroups([]);
    process.setgid(uid);
    process.setuid(uid);
  }
  became = uid;
  const client = connect(socket);
  await new Promise((resolve, reject) => client.once('connect', resolve).once('error', reject));
  const message_b64 = Buffer.alloc(32, 7).toString('base64url');
  const request = { jsonrpc: '2.0', id: 1, method: 'sign', params: { message_b64 } };
  const text = `${JSON.stringify(request)}\n`;
  const latencies = [];
  const refused = {};
  let signature = null;
  const end = performance.now() + seconds * 1000;
  while (performance.now() < end) {
    const begun = performance.now();
    const said = await Promise.race([ask(client, text), sleep(longest, null, { ref: false })]);
    latencies.push(performance.now() - begun);
    if (said === null) break;
    const answer = JSON.parse(said);
    if (answer.error === undefined) signature = answer.result;
    else refused[answer.error.data.kind] = (refused[answer.error.data.kind] ?? 0) + 1;
    await sleep(rest);
  }
  client.destroy();
  return { latencies, refused, signature };
}

function ask(client, text) {
  return new Promise((resolve, reject) => {
    let answer = '';
    const take = (chunk) => {
      answer += chunk;
      if (!answer.endsWith('\n')) return;
      client.off('data', take).off('close', lost);
      resolve(answer);
    };
    const lost = () => reject(new Error('the agent closed the connection'));
    client.on('data', take).once('close', lost);
    client.write(text);
  });
}
