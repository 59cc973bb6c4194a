import type * as z from 'zod';

/** `data.issues` of an `invalid_params`: which field, and what about it. */
export interface FieldIssue {
  readonly field: string;
  readonly message: string;
}

/** At most this many: a hostile request must not make a long answer. */
const mostIssues = 20;

export function fieldIssues(error: z.ZodError): readonly FieldIssue[] {
  const issues = error.issues.slice(0, mostIssues).flatMap((issue) => {
    const at = issue.path.map(String);
    if (issue.code !== 'unrecognized_keys') {
      return [{ field: at.join('.') || 'params', message: issue.message }];
    }
    return issue.keys.slice(0, mostIssues).map((key) => ({
      field: [...at, key.slice(0, 80)].join('.'),
      message: 'there is no such field',
    }));
  });
  return issues.slice(0, mostIssues);
}
