import { errorAnswer, resultAnswer } from './answer.ts';
import { checkedSign, usualKeyring } from '../../request/methods/checked-sign.ts';
import { methods } from '../../request/methods/methods.ts';
import type { Asked, Protocol } from '../../request/protocol.ts';
import { decodeRequest } from './decode-request.ts';
import { usualSign } from './usual-sign.ts';

interface JsonRpcRequest extends Asked {
  readonly id: string | number;
}

/** One JSON object a request, and one an answer (docs/protocol.md). */
export const jsonRpc: Protocol<JsonRpcRequest, string> = {
  decode(frame) {
    const usual = usualSign(frame, usualKeyring);
    if (usual !== null) {
      const { id, params } = usual;
      return { request: { id, name: 'sign', method: checkedSign, params } };
    }
    const decoded = decodeRequest(frame);
    if ('refusal' in decoded) return { refusal: errorAnswer(decoded.id, decoded.refusal) };
    const { id, method: name, params } = decoded.request;
    return { request: { id, name, method: methods.get(name), params } };
  },
  result: ({ id }, result) => resultAnswer(id, result),
  error: ({ id }, error) => errorAnswer(id, error),
};
