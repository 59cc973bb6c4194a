import { randomBytes } from 'node:crypto';
import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import pkcs11js from 'pkcs11js';

const usage = `usage: softhsm/make-token [--dir DIR] [--label LABEL] [--module FILE]
                          [--so-pin-file FILE] [--pin-file FILE]

Makes a SoftHSM token and prints what a configuration needs, two lines on stdout:
  export SOFTHSM2_CONF='...'      for the shell that starts the agent
  uri = "pkcs11:..."              for the keyring in the agent's configuration

  --dir DIR           holds softhsm2.conf, tokens/ and the PIN files
                      (default: $XDG_STATE_HOME/signing-agent/softhsm)
  --label LABEL       the token's label, at most 32 bytes (default: signing-agent)
  --module FILE       libsofthsm2.so (default: where distributions put it)
  --pin-file FILE     the user PIN; made with a random one if it does not exist (default: DIR/pin)
  --so-pin-file FILE  the security officer's PIN, likewise (default: DIR/so-pin)

Exit codes: 0 made; 1 refused or failed, nothing that existed was changed; 2 usage.`;

const usualModules = [
  '/usr/lib/softhsm/libsofthsm2.so',
  '/usr/lib64/softhsm/libsofthsm2.so',
  '/usr/lib64/pkcs11/libsofthsm2.so',
  '/usr/local/lib/softhsm/libsofthsm2.so',
];

const CKF_OS_LOCKING_OK = 0x2;
const CKF_READ_WRITE = 0x2 | 0x4; // CKF_RW_SESSION, CKF_SERIAL_SESSION
const CKF_TOKEN_INITIALIZED = 0x400;
const CKU_SO = 0;
const labelLength = 32; // CK_TOKEN_INFO label, bytes, filled up with blanks
const pinLength = 24; // random bytes

class Refusal extends Error {}

function options() {
  const stateHome = process.env['XDG_STATE_HOME'] || join(homedir(), '.local', 'state');
  const { values } = parseArgs({
    options: {
      dir: { type: 'string', default: join(stateHome, 'signing-agent', 'softhsm') },
      label: { type: 'string', default: 'signing-agent' },
      module: { type: 'string' },
      'pin-file': { type: 'string' },
      'so-pin-file': { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  });
  const dir = resolve(values.dir);
  return {
    help: values.help,
    dir,
    label: values.label,
    module: values.module === undefined ? null : resolve(values.module),
    pinFile: resolve(values['pin-file'] ?? join(dir, 'pin')),
    soPinFile: resolve(values['so-pin-file'] ?? join(dir, 'so-pin')),
  };
}

function main({ dir, label, module, pinFile, soPinFile }) {
  if (label.trim() === '' || Buffer.byteLength(label) > labelLength || label.includes('\0')) {
    throw new Refusal(`--label must have 1 to ${labelLength} bytes`);
  }
  const library = module ?? usualModules.find((path) => existsSync(path));
  if (library === undefined) {
    throw new Refusal('libsofthsm2.so is not installed (Debian: apt-get install softhsm2)');
  }
  const configuration = prepareDirectory(dir);
  // SoftHSM reads it with getenv in C_Initialize; node's assignment to process.env calls setenv.
  process.env['SOFTHSM2_CONF'] = configuration;
  const lib = new pkcs11js.PKCS11();
  lib.load(library);
  lib.C_Initialize({ flags: CKF_OS_LOCKING_OK });
  try {
    makeToken(lib, { dir, label, pinFile, soPinFile });
  } finally {
    lib.C_Finalize();
  }
  process.stdout.write(`export SOFTHSM2_CONF=${shellQuoted(configuration)}\n`);
  process.stdout.write(`uri = "${uriOf({ label, library, pinFile })}"\n`);
}

/** Directories 0700 and a configuration, where they are not there yet. */
function prepareDirectory(dir) {
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  const { mode, uid } = statSync(dir);
  if (uid !== process.geteuid() || (mode & 0o077) !== 0) {
    throw new Refusal(`${dir} must belong to you and have mode 0700`);
  }
  // SoftHSM takes the rest of the line as it stands, up to a hash sign.
  if (/[#\n\r]/.test(dir) || dir !== dir.trim())
    throw new Refusal(`--dir: SoftHSM cannot use ${dir}`);
  const tokens = join(dir, 'tokens');
  mkdirSync(tokens, { recursive: true, mode: 0o700 });
  const configuration = join(dir, 'softhsm2.conf');
  if (!existsSync(configuration)) {
    const template = readFileSync(new URL('softhsm2.conf.template', import.meta.url), 'utf8');
    const filledIn = template.replace('@TOKEN_DIRECTORY@', () => `${tokens}/`);
    writeFileSync(configuration, filledIn, { mode: 0o600, flag: 'wx' });
  }
  return configuration;
}

function makeToken(lib, { dir, label, pinFile, soPinFile }) {
  const slots = lib.C_GetSlotList(true).map((slot) => ({ slot, token: lib.C_GetTokenInfo(slot) }));
  const isInitialised = ({ token }) => (token.flags & CKF_TOKEN_INITIALIZED) !== 0;
  const labelOf = ({ token }) => token.label.trimEnd();
  if (slots.some((each) => isInitialised(each) && labelOf(each) === label)) {
    throw new Refusal(`${dir} has a token "${label}" already; it was left as it is`);
  }
  const free = slots.find((each) => !isInitialised(each));
  if (free === undefined) throw new Refusal('SoftHSM offers no free slot');
  const pin = pinFrom(pinFile);
  const soPin = pinFrom(soPinFile);
  const padding = ' '.repeat(labelLength - Buffer.byteLength(label));
  lib.C_InitToken(free.slot, soPin, label + padding);
  // An initialised token moves to another slot number: it is found again by its label.
  const slot = lib
    .C_GetSlotList(true)
    .find((each) => labelOf({ token: lib.C_GetTokenInfo(each) }) === label);
  if (slot === undefined) throw new Error('the new token is not to be seen');
  const session = lib.C_OpenSession(slot, CKF_READ_WRITE);
  lib.C_Login(session, CKU_SO, soPin);
  lib.C_InitPIN(session, pin);
  lib.C_Logout(session);
  lib.C_CloseSession(session);
}

/** The PIN in the file, a random one where there is no file yet. */
function pinFrom(path) {
  if (existsSync(path)) {
    if ((statSync(path).mode & 0o077) !== 0) throw new Refusal(`${path} must have mode 0600`);
    const pin = readFileSync(path, 'utf8').replace(/\n$/, '');
    if (pin.length < 4 || pin.length > 255) {
      throw new Refusal(`${path}: SoftHSM takes PINs of 4 to 255 characters`);
    }
    return pin;
  }
  const pin = randomBytes(pinLength).toString('base64url');
  const descriptor = openSync(path, 'wx', 0o600);
  try {
    writeSync(descriptor, `${pin}\n`);
    fsyncSync(descriptor); // a token whose PIN is lost is lost
  } finally {
    closeSync(descriptor);
  }
  return pin;
}

function uriOf({ label, library, pinFile }) {
  // encodeURIComponent leaves only what RFC 7512 allows as it is; slashes may stay in the query part.
  const path = (value) => encodeURIComponent(value).replaceAll('%2F', '/');
  return (
    `pkcs11:token=${encodeURIComponent(label)}` +
    `?module-path=${path(library)}&pin-source=file:${path(pinFile)}`
  );
}

function shellQuoted(value) {
  return `'${value.replaceAll("'", "'\\''")}'`;
}

function run() {
  let given;
  try {
    given = options();
  } catch (failure) {
    process.stderr.write(`make-token: ${failure.message}\n\n${usage}\n`);
    process.exitCode = 2;
    return;
  }
  if (given.help) {
    process.stdout.write(`${usage}\n`);
    return;
  }
  try {
    main(given);
  } catch (failure) {
    process.stderr.write(`make-token: ${failure.message}\n`);
    process.exitCode = 1;
  }
}

run();
