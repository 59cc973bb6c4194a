// The loop that a file keyring is compared with: node:crypto on one thread, in a process that does nothing else.
// Told what to do over IPC: {seconds, bytes} → {perSecond, cpuUs, threads}.
import { generateKeyPairSync, sign } from 'node:crypto';

const { privateKey } = generateKeyPairSync('ed25519');

process.on('message', ({ seconds, bytes = 32 }) => {
  const message = Buffer.alloc(bytes, 7);
  const [started, before] = [performance.now(), process.cpuUsage()];
  const end = started + seconds * 1000;
  let made = 0;
  while (performance.now() < end) {
    sign(null, message, privateKey);
    made += 1;
  }
  const { user, system } = process.cpuUsage(before);
  const perSecond = made / ((performance.now() - started) / 1000);
  process.send({ perSecond, cpuUs: (user + system) / made, threads: 1 });
});
process.on('disconnect', () => process.exit());
