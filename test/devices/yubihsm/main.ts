import { Connector } from './connector.ts';

/**
 * `node --import ./test/support/typescript-loader.js test/devices/yubihsm/main.ts PORT [STATE [FIRMWARE]]`: the
 * emulator by itself, for a module that is tried by hand. It ends with SIGTERM.
 */
const [port = '12345', path = null, firmware = '2.4.0'] = process.argv.slice(2);
const connector = await Connector.start({ path, firmware }, Number(port));
console.error(
  `emulator of a YubiHSM 2 (firmware ${firmware}) and of its connector on 127.0.0.1:${connector.port}: ` +
    'for tests, it protects nothing',
);
process.once('SIGTERM', () => void connector.close());
