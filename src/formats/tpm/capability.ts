import { TpmFormatError, type TpmReader } from './bytes.ts';
import { CAP } from './constants.ts';

/** TPMS_CAPABILITY_DATA (Part 2, 10.10.2) of the two kinds that are asked for. */

/** Whether there is more, and the handles. */
export function readHandles(reader: TpmReader): { more: boolean; handles: number[] } {
  const more = reader.u8() !== 0;
  expect(reader, CAP.HANDLES);
  const handles = Array.from({ length: reader.count(4) }, () => reader.u32());
  return { more, handles };
}

/** Values by their TPM_PT. */
export function readProperties(reader: TpmReader): {
  more: boolean;
  properties: ReadonlyMap<number, number>;
} {
  const more = reader.u8() !== 0;
  expect(reader, CAP.PROPERTIES);
  const count = reader.count(8);
  const properties = new Map(
    Array.from({ length: count }, (): [number, number] => [reader.u32(), reader.u32()]),
  );
  return { more, properties };
}

function expect(reader: TpmReader, capability: number): void {
  const given = reader.u32();
  if (given === capability) return;
  throw new TpmFormatError(`capability ${given} was answered where ${capability} was asked for`);
}
