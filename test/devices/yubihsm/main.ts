import { Connector } from './connector.ts';

/**
 * `node --import ./test/support/typescript-loader.js test/devices/yubihsm/main.ts PORT [STATE [FIRMWARE [MS]]]`: the
 * emulator by itself, for a module that is tried by hand. An empty STATE: in memory; MS: what each command takes. It ends
 * with SIGTERM.
 */
const [port = '12345', state = '', firmware = '2.4.0', ms = '0'] = process.argv.slice(2);
const connector = await Connector.start(
  { path: state === '' ? null : state, firmware, commandTime: Number(ms) },
  Number(port),
);
console.error(
  `emulator of a YubiHSM 2 (firmware ${firmware}) and of its connector on 127.0.0.1:${connector.port}: ` +
    'for tests, it protects nothing',
);
process.once('SIGTERM', () => void connector.close());
