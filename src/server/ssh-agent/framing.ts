import type { Framing } from '../socket/framing.ts';
import { failure } from './messages.ts';
import { MessageDecoder } from './message-decoder.ts';

const refused = (): Buffer => failure;

/** Messages with their length before them. The protocol has one refusal, and no words for it. */
export const agentFraming: Framing<Buffer> = {
  decoder: (maxFrameBytes) => new MessageDecoder(maxFrameBytes),
  written: (answers) => {
    const [only] = answers;
    return answers.length === 1 && only !== undefined ? only : Buffer.concat(answers);
  },
  tooLarge: refused,
  tooSlow: refused,
  cutOff: refused,
  tooManyConnections: refused,
  tooManyOfUser: refused,
  tooManyWithoutScope: refused,
  idle: refused,
};
