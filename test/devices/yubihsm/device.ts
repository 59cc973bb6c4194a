import { sessionCommands } from './commands.ts';
import { ObjectStore } from './objects.ts';
import {
  algorithm,
  answered,
  command,
  DeviceError,
  errorFrame,
  frame,
  objectType,
  type CommandName,
} from './protocol.ts';
import { Sessions } from './sessions.ts';

export interface DeviceOptions {
  /** `2.4.0`: what decides about the longest message. */
  readonly firmware?: string;
  /** Where the objects are kept; null: in memory alone. */
  readonly path?: string | null;
  /** Milliseconds after which an unused session is given away; 30 s in a device. */
  readonly idleMs?: number;
  readonly now?: () => number;
}

const commandNames = new Map(
  Object.entries(command).map(([name, code]) => [code as number, name as CommandName]),
);

/** The longest message with its head, bytes, from that firmware on. */
const messageLimits: readonly { readonly from: string; readonly bytes: number }[] = [
  { from: '2.4.0', bytes: 3136 },
  { from: '0.0.0', bytes: 2048 },
];

/**
 * An emulator of a YubiHSM 2, for tests: the commands, the sessions and the limits that a PKCS#11 module meets. It
 * is no hardware, it protects nothing, and its keys are in this process.
 */
export class YubiHsm {
  readonly objects: ObjectStore;
  readonly sessions: Sessions;
  readonly firmware: string;
  /** How often each command was answered, errors included. */
  readonly counts = new Map<CommandName, number>();

  constructor({ firmware = '2.4.0', path = null, idleMs = 30_000, now = Date.now }: DeviceOptions) {
    this.firmware = firmware;
    this.objects = new ObjectStore(path);
    this.sessions = new Sessions(idleMs, now);
  }

  get messageLimit(): number {
    const parts = (version: string): number[] => version.split('.').map(Number);
    const number = (version: string): number =>
      parts(version).reduce((sum, one) => sum * 256 + one, 0);
    const limit = messageLimits.find(({ from }) => number(this.firmware) >= number(from));
    return limit?.bytes ?? 0;
  }

  /** Answers one message as the device does: never throws for what a caller sent. `asked` is told each command, and may refuse it by a DeviceError. */
  answer(message: Buffer, asked: (name: CommandName) => void = () => undefined): Buffer {
    try {
      if (message.length > this.messageLimit) throw new DeviceError('wrongLength');
      if (message.length < 3 || message.readUInt16BE(1) !== message.length - 3) {
        throw new DeviceError('wrongLength');
      }
      return this.#outer(message, asked);
    } catch (failure) {
      return errorFrame(deviceError(failure));
    }
  }

  #outer(message: Buffer, asked: (name: CommandName) => void): Buffer {
    const code = message.readUInt8(0);
    const data = message.subarray(3);
    switch (code) {
      case command.echo:
        return frame(code | answered, data);
      case command.deviceInfo:
        return frame(code | answered, this.#information());
      case command.createSession: {
        if (data.length !== 10) throw new DeviceError('wrongLength');
        asked('createSession');
        const login = this.objects.find(objectType.authenticationKey, data.readUInt16BE(0));
        return frame(code | answered, this.sessions.create(login, data.subarray(2)));
      }
      case command.authenticateSession:
        this.sessions.authenticate(message);
        return frame(code | answered, Buffer.alloc(0));
      case command.sessionMessage:
        return this.sessions.converse(message, (inner, login) => {
          const name = commandNames.get(inner.readUInt8(0));
          if (name === 'closeSession') this.sessions.close(data.readUInt8(0));
          try {
            if (name !== undefined) {
              this.counts.set(name, (this.counts.get(name) ?? 0) + 1);
              asked(name);
            }
            const known = name === undefined ? undefined : sessionCommands[name];
            if (known === undefined && name !== 'closeSession') {
              throw new DeviceError('invalidCommand');
            }
            const body = inner.subarray(3, 3 + inner.readUInt16BE(1));
            const result = known?.(body, { objects: this.objects, login }) ?? Buffer.alloc(0);
            return frame(inner.readUInt8(0) | answered, result);
          } catch (failure) {
            return errorFrame(deviceError(failure));
          }
        });
      default:
        throw new DeviceError('invalidCommand');
    }
  }

  /** Firmware, serial number, sizes of the log, algorithms. */
  #information(): Buffer {
    const { p256, ecdsaSha256, ed25519, opaqueData, authenticationKey } = algorithm;
    return Buffer.from([
      ...this.firmware.split('.').map(Number),
      ...[0x00, 0x75, 0xbc, 0xd1],
      ...[62, 0],
      ...[p256, ecdsaSha256, ed25519, opaqueData, authenticationKey],
    ]);
  }
}

/** What a caller sent too short reads beyond its end. */
function deviceError(failure: unknown): DeviceError {
  if (failure instanceof DeviceError) return failure;
  if (failure instanceof RangeError) return new DeviceError('wrongLength');
  throw failure;
}
