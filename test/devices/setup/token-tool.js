// Another program on the same token, which shares no code with the agent: makes tokens, lists what they hold, adds
// and removes objects of its own. Plain JavaScript on Node alone, so that it runs in another release's root too.
// A request as JSON on stdin (the PIN with it: never in argv), the answer as JSON on stdout. One request a process:
// handles are numbered anew at each C_Initialize, and only there can they be trusted (native-notes/tpm2-pkcs11.md).
import { createHash, createPublicKey, randomBytes, verify } from 'node:crypto';
import { readFileSync } from 'node:fs';
import pkcs11js from 'pkcs11js';

const CKF_OS_LOCKING_OK = 2;
const readWrite = 4 | 2; // CKF_SERIAL_SESSION, CKF_RW_SESSION
const CKU = { so: 0, user: 1 };
const CKA = { class: 0, token: 1, private: 2, label: 3, application: 0x10, value: 0x11, id: 0x102 };
const classes = ['Data', 'Certificate', 'Public Key', 'Private Key', 'Secret Key'];
const EC_POINT = 0x181;
const P256 = Buffer.from('06082a8648ce3d030107', 'hex');
const CKM_EC_KEY_PAIR_GEN = 0x1040;
const CKM_ECDSA = 0x1041;

const request = JSON.parse(readFileSync(0, 'utf8'));
const lib = new pkcs11js.PKCS11();
lib.load(request.module);
const parameters = request.libraryParameters;
lib.C_Initialize({
  flags: CKF_OS_LOCKING_OK,
  ...(parameters ? { libraryParameters: parameters } : {}),
});
const text = (value) => String(value).replace(/[\0 ]+$/, '');

function slotOf(label) {
  const slot = lib.C_GetSlotList(true).find((one) => text(lib.C_GetTokenInfo(one).label) === label);
  if (slot === undefined) throw new Error(`no token has the label ${label}`);
  return slot;
}

function attribute(session, object, type) {
  try {
    return lib.C_GetAttributeValue(session, object, [{ type }])[0].value;
  } catch {
    return null; // modules differ in what they have, and in how they say that they have none
  }
}

function find(session, template) {
  const found = [];
  lib.C_FindObjectsInit(session, template);
  try {
    for (;;) {
      const some = lib.C_FindObjects(session, 32);
      if (some.length === 0) return found;
      found.push(...some);
    }
  } finally {
    lib.C_FindObjectsFinal(session);
  }
}

function described(session, object) {
  const bytes = (type) => attribute(session, object, type);
  const kind = classes[bytes(CKA.class)?.readUInt8(0) ?? -1] ?? 'other';
  return {
    kind,
    label: text(bytes(CKA.label)?.toString() ?? ''),
    id: bytes(CKA.id)?.toString('hex') ?? '',
    value: kind === 'Data' ? (bytes(CKA.value)?.toString('hex') ?? null) : null,
    point: kind === 'Public Key' ? (bytes(EC_POINT)?.toString('hex') ?? null) : null,
  };
}

/** Whether the private half of that label signs for that uncompressed point, wrapped in DER or not. */
function signsFor(session, label, point) {
  const [key] = find(session, [
    { type: CKA.class, value: 3 },
    { type: CKA.label, value: label },
  ]);
  if (key === undefined) return false;
  const message = randomBytes(32);
  lib.C_SignInit(session, { mechanism: CKM_ECDSA }, key);
  const digest = createHash('sha256').update(message).digest();
  const signature = lib.C_Sign(session, digest, Buffer.alloc(64));
  const raw = Buffer.from(point, 'hex').subarray(-64);
  const jwk = { x: raw.toString('base64url', 0, 32), y: raw.toString('base64url', 32) };
  const publicKey = createPublicKey({ key: { kty: 'EC', crv: 'P-256', ...jwk }, format: 'jwk' });
  return verify('sha256', message, { key: publicKey, dsaEncoding: 'ieee-p1363' }, signature);
}

const withId = (id) => (id ? [{ type: CKA.id, value: Buffer.from(id, 'hex') }] : []);

const steps = {
  info: () => {
    const { manufacturerID, libraryVersion, libraryDescription } = lib.C_GetInfo();
    const {
      model,
      manufacturerID: maker,
      firmwareVersion,
      label,
    } = lib.C_GetTokenInfo(slotOf(request.token));
    const version = ({ major, minor }) => `${major}.${minor}`;
    return {
      library: `${text(manufacturerID)} ${text(libraryDescription)} ${version(libraryVersion)}`,
      token: `${text(maker)} ${text(model)} ${version(firmwareVersion)} (${text(label)})`,
    };
  },
  // The token is the first that is not initialised, or the one that leaves its factory so.
  initToken: ({ label, soPin, pin, factorySoPin = null, model = '' }) => {
    const free = lib.C_GetSlotList(true).find((one) => {
      const info = lib.C_GetTokenInfo(one);
      const isInitialised = (info.flags & 0x400) !== 0; // CKF_TOKEN_INITIALIZED
      return info.model.includes(model) && (factorySoPin !== null || !isInitialised);
    });
    if (free === undefined) throw new Error('no slot is free');
    lib.C_InitToken(free, factorySoPin ?? soPin, label.padEnd(32));
    const session = lib.C_OpenSession(slotOf(label), readWrite);
    lib.C_Login(session, CKU.so, factorySoPin ?? soPin);
    if (factorySoPin !== null) lib.C_SetPIN(session, factorySoPin, soPin);
    lib.C_InitPIN(session, pin);
    lib.C_Logout(session);
    lib.C_CloseSession(session);
  },
  list: (_, session) => find(session, []).map((object) => described(session, object)),
  createData: ({ label, value, isPrivate }, session) => {
    lib.C_CreateObject(session, [
      { type: CKA.class, value: 0 },
      { type: CKA.token, value: true },
      ...(isPrivate ? [{ type: CKA.private, value: true }] : []),
      { type: CKA.label, value: label },
      { type: CKA.application, value: 'other program' },
      { type: CKA.value, value: Buffer.from(value, 'hex') },
    ]);
  },
  createKey: ({ label, id }, session) => {
    const names = [
      { type: CKA.token, value: true },
      { type: CKA.label, value: label },
      ...withId(id),
    ];
    lib.C_GenerateKeyPair(
      session,
      { mechanism: CKM_EC_KEY_PAIR_GEN },
      [...names, { type: 0x10a, value: true }, { type: 0x180, value: P256 }],
      [
        ...names,
        { type: CKA.private, value: true },
        { type: 0x103, value: true },
        { type: 0x162, value: false },
        { type: 0x108, value: true },
      ],
    );
  },
  signsFor: ({ label, point }, session) => signsFor(session, label, point),
  destroy: ({ kind, label, id }, session) => {
    const objects = find(session, [
      { type: CKA.class, value: classes.indexOf(kind) },
      { type: CKA.label, value: label },
      ...withId(id),
    ]);
    for (const object of objects) lib.C_DestroyObject(session, object);
    return objects.length;
  },
};

const answers = [];
let session = null;
for (const step of request.steps) {
  if (request.pin !== null && session === null) {
    session = lib.C_OpenSession(slotOf(request.token), readWrite);
    lib.C_Login(session, CKU.user, request.pin);
  }
  answers.push(steps[step.do](step, session) ?? null);
}
if (session !== null) {
  lib.C_Logout(session); // a YubiHSM has 16 sessions, and one that is left is taken for 30 s
  lib.C_CloseSession(session);
}
lib.C_Finalize();
process.stdout.write(JSON.stringify(answers));
