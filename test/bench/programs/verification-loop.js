// What a signature of a device costs beside its making: node:crypto's verification in the thread pool, as many at a time
// as a busy agent has. Told what to do over IPC: {algorithm, seconds} → {perSecond, cpuUs}.
import { generateKeyPairSync, sign, verify } from 'node:crypto';

const depth = 16;
const message = Buffer.alloc(32, 7);
const keys = {
  ed25519: () => keyOf(null, generateKeyPairSync('ed25519'), {}),
  es256: () =>
    keyOf('sha256', generateKeyPairSync('ec', { namedCurve: 'P-256' }), {
      dsaEncoding: 'ieee-p1363',
    }),
};

function keyOf(digest, { publicKey, privateKey }, options) {
  const signature = sign(digest, message, { key: privateKey, ...options });
  return { digest, key: { key: publicKey, ...options }, signature };
}

process.on('message', async ({ algorithm, seconds }) => {
  const { digest, key, signature } = keys[algorithm]();
  const [started, before] = [performance.now(), process.cpuUsage()];
  const end = started + seconds * 1000;
  let made = 0;
  const one = () =>
    new Promise((resolve, reject) => {
      verify(digest, message, key, signature, (failure, isRight) => {
        if (failure === null && isRight) resolve();
        else reject(failure ?? new Error('a signature did not verify'));
      });
    });
  const loop = async () => {
    for (; performance.now() < end; made += 1) await one();
  };
  await Promise.all(Array.from({ length: depth }, loop));
  const { user, system } = process.cpuUsage(before);
  const perSecond = made / ((performance.now() - started) / 1000);
  process.send({ perSecond, cpuUs: (user + system) / made });
});
process.on('disconnect', () => process.exit());
