// The loops that the agent is held against, in a process of its own that holds nothing else:
// node:crypto on one thread, and C_SignInit + C_Sign on the same token, on one thread and on several.
// Told what to do over IPC: {loop, sessions, seconds} → {perSecond}.
import { generateKeyPairSync, sign } from 'node:crypto';
import { readFileSync } from 'node:fs';
import pkcs11 from 'pkcs11js';

const message = Buffer.alloc(32, 7);
const { BENCH_MODULE: modulePath, BENCH_PIN_FILE: pinFile } = process.env;
const token = openToken();
const { privateKey } = generateKeyPairSync('ed25519');

const loops = {
  crypto: ({ seconds }) => spin(seconds, () => sign(null, message, privateKey)),
  pkcs11: ({ seconds }) => {
    const [session] = token.sessions;
    const signature = Buffer.alloc(64);
    return spin(seconds, () => {
      token.module.C_SignInit(session, { mechanism: 0x1057 }, token.key);
      token.module.C_Sign(session, message, signature);
    });
  },
  pkcs11Threads: async ({ seconds, sessions }) => {
    const end = performance.now() + seconds * 1000;
    const started = performance.now();
    let made = 0;
    await Promise.all(
      token.sessions.slice(0, sessions).map(async (session) => {
        const signature = Buffer.alloc(64);
        while (performance.now() < end) {
          token.module.C_SignInit(session, { mechanism: 0x1057 }, token.key);
          await token.module.C_SignAsync(session, message, signature);
          made += 1;
        }
      }),
    );
    return { perSecond: made / ((performance.now() - started) / 1000) };
  },
};

process.on('message', async (order) => {
  try {
    process.send(await loops[order.loop](order));
  } catch (failure) {
    process.send({ failure: failure.message });
  }
});
process.on('disconnect', () => process.exit());

function spin(seconds, once) {
  const started = performance.now();
  const end = started + seconds * 1000;
  let made = 0;
  while (performance.now() < end) {
    once();
    made += 1;
  }
  return { perSecond: made / ((performance.now() - started) / 1000) };
}

function openToken() {
  const module = new pkcs11.PKCS11();
  module.load(modulePath);
  module.C_Initialize({ flags: 2 }); // CKF_OS_LOCKING_OK
  const slot = module.C_GetSlotList(true)[0];
  const sessions = Array.from({ length: 8 }, () => module.C_OpenSession(slot, 6));
  module.C_Login(sessions[0], 1, readFileSync(pinFile, 'utf8').trim());
  const keys = module.C_GenerateKeyPair(
    sessions[0],
    { mechanism: 0x1055 },
    [
      { type: 0x1, value: true },
      { type: 0x3, value: 'bench' },
      { type: 0x180, value: Buffer.from('06032b6570', 'hex') },
    ],
    [
      { type: 0x1, value: true },
      { type: 0x2, value: true },
      { type: 0x3, value: 'bench' },
      { type: 0x103, value: true },
      { type: 0x108, value: true },
      { type: 0x162, value: false },
    ],
  );
  return { module, sessions, key: keys.privateKey };
}
