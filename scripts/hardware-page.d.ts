import type { DeviceResult } from '../test/devices/report/results.ts';

/** docs/hardware.md as text. */
export function page(results: readonly DeviceResult[]): string;
