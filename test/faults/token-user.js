// One program that uses a token, step by step as its parent says:
//
//   fork('token-user.js', [MODULE, PIN])
//
// In a process of its own, since the module under it may hang or take the process with it. A step is
// { id, name, args }; the answer { id, result }, where a refusal of the module is its return value: '0x30'.
import { createPublicKey, verify } from 'node:crypto';
import pkcs11js from 'pkcs11js';

const [modulePath, pin] = process.argv.slice(2);
const ed25519 = Buffer.from('06032b6570', 'hex'); // its OID
const eddsa = { mechanism: 0x1057 };
const message = Buffer.from('message');

const lib = new pkcs11js.PKCS11();
lib.load(modulePath);

let slot = null;
let key = null;
let publicKey = null;
const sessions = [];

const steps = {
  initialise() {
    lib.C_Initialize({ flags: pkcs11js.CKF_OS_LOCKING_OK });
    return 'done';
  },
  /** How many tokens there are, of which the first is used. SoftHSM always has one more, to be initialised. */
  tokens() {
    const found = lib
      .C_GetSlotList(true)
      .filter((each) => lib.C_GetTokenInfo(each).flags & pkcs11js.CKF_TOKEN_INITIALIZED);
    slot = found[0] ?? slot;
    return found.length;
  },
  open() {
    sessions.push(lib.C_OpenSession(slot, pkcs11js.CKF_SERIAL_SESSION | pkcs11js.CKF_RW_SESSION));
    return 'done';
  },
  close() {
    lib.C_CloseSession(sessions.pop());
    return 'done';
  },
  login(word = pin) {
    lib.C_Login(sessions.at(-1), pkcs11js.CKU_USER, word);
    return 'done';
  },
  /** A key of this session only: tokens are shared by tests. */
  generate() {
    const pair = lib.C_GenerateKeyPair(
      sessions.at(-1),
      { mechanism: 0x1055 },
      [
        { type: pkcs11js.CKA_EC_PARAMS, value: ed25519 },
        { type: pkcs11js.CKA_TOKEN, value: false },
      ],
      [
        { type: pkcs11js.CKA_TOKEN, value: false },
        { type: pkcs11js.CKA_PRIVATE, value: true },
        { type: pkcs11js.CKA_SIGN, value: true },
      ],
    );
    key = pair.privateKey;
    const [point] = lib.C_GetAttributeValue(sessions.at(-1), pair.publicKey, [
      { type: pkcs11js.CKA_EC_POINT },
    ]);
    const x = point.value.subarray(2).toString('base64url'); // an OCTET STRING
    publicKey = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' });
    return 'done';
  },
  sign() {
    lib.C_SignInit(sessions.at(-1), eddsa, key);
    return verified(lib.C_Sign(sessions.at(-1), message, Buffer.alloc(64)));
  },
  /** In every session at once, again and again, on the threads of the pool. Answers all results, each once. */
  async signInAll(rounds) {
    const results = new Set();
    const inputs = sessions.map(() => Buffer.from(message)); // kept alive: the bindings do not
    for (let round = 0; round < rounds; round += 1) {
      const signatures = sessions.map(async (session, index) => {
        try {
          lib.C_SignInit(session, eddsa, key);
          return verified(await lib.C_SignAsync(session, inputs[index], Buffer.alloc(64)));
        } catch (thrown) {
          return returnValue(thrown);
        }
      });
      for (const result of await Promise.all(signatures)) results.add(result);
    }
    return [...results].sort();
  },
  sessionInfo() {
    lib.C_GetSessionInfo(sessions.at(-1));
    return 'done';
  },
  tokenInfo() {
    return lib.C_GetTokenInfo(slot).label;
  },
  tokenFlags() {
    return lib.C_GetTokenInfo(slot).flags;
  },
  mechanismFlags() {
    return lib.C_GetMechanismInfo(slot, eddsa.mechanism).flags;
  },
  createData(objectClass = pkcs11js.CKO_DATA) {
    lib.C_CreateObject(sessions.at(-1), [
      { type: pkcs11js.CKA_TOKEN, value: false },
      { type: pkcs11js.CKA_CLASS, value: objectClass },
      { type: pkcs11js.CKA_VALUE, value: Buffer.from('data') },
    ]);
    return 'done';
  },
  finalise() {
    lib.C_Finalize();
    return 'done';
  },
};

function verified(signature) {
  return verify(null, message, publicKey, signature) ? 'verified' : 'wrong';
}

/**
 * The module's own, as hex; anything else is a fault of this program and ends it. In most errors it is `code`;
 * C_CreateObject and some others of pkcs11js 2.1.7 have it in the message alone.
 */
function returnValue(thrown) {
  const code = thrown.code ?? /^CKR_\w+:(\d+)$/.exec(thrown.message)?.[1];
  if (!(code > 0)) throw thrown;
  return `0x${Number(code).toString(16)}`;
}

process.on('message', async ({ id, name, args }) => {
  let result;
  try {
    result = await steps[name](...args);
  } catch (thrown) {
    result = returnValue(thrown);
  }
  process.send({ id, result });
});
process.send('loaded');
