import { FrameDecoder } from '../../base/line-frames.ts';
import type { Framing } from '../socket/framing.ts';
import {
  idle,
  noNewline,
  tooLarge,
  tooManyConnections,
  tooManyOfUser,
  tooManyWithoutScope,
  tooSlow,
} from './refusals.ts';

/** JSON-RPC, one object a line (docs/protocol.md). */
export const lines: Framing<string> = {
  decoder: (maxFrameBytes) => new FrameDecoder(maxFrameBytes),
  written: (answers) => `${answers.join('\n')}\n`,
  tooLarge,
  tooSlow,
  cutOff: noNewline,
  tooManyConnections,
  tooManyOfUser,
  tooManyWithoutScope,
  idle,
};
