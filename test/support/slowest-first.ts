import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** The longest first, so that no processor waits at the end for one that was begun last: files, then folders. */
const order = [
  'e2e/reconcile',
  'kills/',
  'faults/lost-hosts',
  'processes/',
  'e2e/',
  'faults/',
  'contract/',
  'wire/',
];

function rank({ moduleId }: TestSpecification): number {
  const found = order.findIndex((part) => moduleId.includes(`/test/${part}`));
  return found < 0 ? order.length : found;
}

export class SlowestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files);
    return sorted.sort((one, other) => rank(one) - rank(other));
  }
}
