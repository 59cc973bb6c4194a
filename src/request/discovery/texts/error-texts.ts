import * as z from 'zod';
import type { ErrorKind } from '../../../base/errors.ts';

/** What is said of a kind of error to whoever meets it. */
interface ErrorText {
  readonly meaning: string;
  /** Whether making the same call again helps, and when. */
  readonly repeat: { readonly helps: 'no' | 'later' | 'when mended'; readonly text: string };
  /** What an operator does. */
  readonly operator: string;
  /** What `data` may have beside `kind`. */
  readonly data: z.core.$ZodLooseShape;
}

const no = { helps: 'no', text: 'No.' } as const;
const retryAfter = z.int().min(0).describe('Milliseconds before it makes sense to try again.');
const limit = z.int().nullable().exactOptional().describe('The limit.');

export const errorTexts: Readonly<Record<ErrorKind, ErrorText>> = {
  parse_error: {
    meaning: 'The line is not one JSON object in UTF-8. Always with id null.',
    repeat: no,
    operator: 'Look at the client: it sends something else than JSON, or no newline.',
    data: {},
  },
  invalid_request: {
    meaning:
      'JSON, and no request: a batch, a notification, an unknown or doubled member, nested too deep.',
    repeat: no,
    operator: 'Look at the client; the message says what about the request.',
    data: {},
  },
  method_not_found: {
    meaning: 'The agent has no such method; a newer one may.',
    repeat: no,
    operator: 'Compare the versions of client and agent (agentctl status).',
    data: {},
  },
  invalid_params: {
    meaning: 'Params that do not fit: a missing, unknown or wrong field.',
    repeat: no,
    operator: 'Look at the client; data.issues names each field.',
    data: {
      issues: z
        .array(z.object({ field: z.string(), message: z.string() }))
        .exactOptional()
        .describe('At most 20.'),
    },
  },
  internal: {
    meaning: 'A fault of the agent. Whether the call was done is unknown.',
    repeat: {
      helps: 'when mended',
      text: 'Perhaps. Look first whether it was done.',
    },
    operator: 'Find error_id in the log, and report what stands there.',
    data: { error_id: z.string() },
  },
  unauthenticated: {
    meaning: 'The API key is wrong, expired, revoked, or not for this user or machine.',
    repeat: {
      helps: 'no',
      text: 'No. Answers to wrong keys are held back, longer each time.',
    },
    operator: 'agentctl apikey list shows the key; the log says why it was refused.',
    data: {},
  },
  forbidden: {
    meaning: 'The caller is known and may not do this.',
    repeat: no,
    operator:
      'Give the user or the API key the scope that data.needs names, or the purpose. agentctl whoami, or the method whoami, says whom the agent takes a caller for.',
    data: {
      needs: z.enum(['none', 'reader', 'app', 'admin']).describe('The scope that is needed.'),
      purpose: z
        .string()
        .exactOptional()
        .describe('The purpose that is needed, where the scope is enough.'),
      purposes: z.array(z.string()).exactOptional().describe('The purposes that there are.'),
    },
  },
  unknown_kid: {
    meaning: 'No such key, or one that is revoked or whose grace is over.',
    repeat: { helps: 'no', text: 'No. Without kid the active key is taken.' },
    operator: 'agentctl keys list shows every key and its state.',
    data: { kid: z.string().exactOptional() },
  },
  backend_unavailable: {
    meaning: 'The token, the device or a file that is needed cannot be used at the moment.',
    repeat: { helps: 'later', text: 'Yes, not before data.retry_after_ms.' },
    operator: 'agentctl status and the log say what fails; agentctl doctor looks for the cause.',
    data: { retry_after_ms: retryAfter, keyring: z.string().exactOptional() },
  },
  locked: {
    meaning: 'The keyring waits for its PIN, or the PIN was wrong.',
    repeat: {
      helps: 'when mended',
      text: 'After unlock. Never repeat a wrong PIN: tokens count them.',
    },
    operator: 'agentctl unlock, with the right PIN.',
    data: {},
  },
  conflict: {
    meaning:
      'Somebody else changed the same thing at the same time, or there is something newer. Nothing was done.',
    repeat: { helps: 'later', text: 'Yes, unless what is there now makes it pointless.' },
    operator: 'Look at what is there now; the message names it.',
    data: {
      cluster_domain: z.string().exactOptional(),
      ca_kid: z.string().exactOptional(),
      ca_fingerprint: z.string().exactOptional(),
      generated_at: z.string().exactOptional(),
    },
  },
  rate_limited: {
    meaning: 'More signatures, operations, connections or attempts than the caller may have.',
    repeat: { helps: 'later', text: 'Yes, after data.retry_after_ms.' },
    operator: 'Raise the limit in [access], [socket] or of the API key, or slow the client down.',
    data: { retry_after_ms: retryAfter },
  },
  too_large: {
    meaning: 'A frame, a message or a number of things is over a limit.',
    repeat: no,
    operator: 'Send less, or raise the limit that the message names.',
    data: { limit },
  },
  not_found: {
    meaning: 'A named thing is not there: a keyring, an API key, a client key, a domain.',
    repeat: no,
    operator: 'Look at the name; agentctl status lists the keyrings.',
    data: {
      keyring: z.string().exactOptional(),
      client_key: z.string().exactOptional(),
      cluster_domain: z.string().exactOptional(),
      kid: z.string().exactOptional(),
    },
  },
  already_exists: {
    meaning: 'Something of that name or for that purpose is there already. Nothing was done.',
    repeat: no,
    operator: 'Look at what is there: it may be what was wanted.',
    data: {
      kid: z.string().exactOptional(),
      id: z.string().exactOptional().describe('The client key that is there.'),
      cluster_domain: z.string().exactOptional(),
      ca_kid: z.string().exactOptional(),
      ca_fingerprint: z.string().exactOptional(),
    },
  },
  overloaded: {
    meaning: 'Too many requests wait. This one was not begun.',
    repeat: { helps: 'later', text: 'Yes, later, and after longer and longer pauses.' },
    operator: 'Find the caller that asks so much, or raise max_connections.',
    data: {},
  },
  shutting_down: {
    meaning: 'The agent is stopping and began nothing.',
    repeat: { helps: 'later', text: 'Yes, once an agent runs again.' },
    operator: 'Start the agent, where nothing else does.',
    data: {},
  },
  audit_unavailable: {
    meaning:
      'The audit record could not be written, and so nothing was changed and no signature has left.',
    repeat: { helps: 'later', text: 'Yes, once the log can be written again.' },
    operator: 'Make room on the disk of the state dir; the log says what fails.',
    data: { retry_after_ms: retryAfter.exactOptional() },
  },
  not_supported: {
    meaning: 'This backend, key, message or configuration cannot do that.',
    repeat: no,
    operator: 'The message says what can.',
    data: {},
  },
};
