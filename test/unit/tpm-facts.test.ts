import { describe, expect, it } from 'vitest';
import { judgeFacts } from '../../src/vault/tpm/examine.ts';
import { emulatorName, type TpmFacts } from '../../src/vault/tpm/tpm-facts.ts';

const facts: TpmFacts = {
  manufacturer: 'IFX',
  vendorString: 'SLB9670',
  firmware: '7.85.17.51968',
  emulator: null,
  inLockout: false,
  ownerAuthSet: false,
  lockoutAuthSet: false,
  failures: 0,
  mostFailures: 32,
  failureInterval: 7200,
};
const states = (given: Partial<TpmFacts>, isKept = true): readonly string[] =>
  judgeFacts('TPM', { ...facts, ...given }, isKept).map(({ state }) => state);

describe('what a TPM is', () => {
  it.each([
    ['IFX', 'SLB9670'],
    ['STM', ''],
    ['NTC', 'NPCT75x"!!4rls'],
    ['INTC', 'Intel TPM'],
    ['AMD', 'AMD'],
  ])('is hardware where %s %s says so', (manufacturer, vendorString) => {
    expect(emulatorName(manufacturer, vendorString)).toBeNull();
  });

  it.each([
    ['IBM', 'SW TPM'],
    ['MSFT', 'xCG fTPM'],
    ['GOOG', 'vTPM'],
    ['AMZN', 'NitroTPM'],
    ['VMW', 'VMware TPM'],
    ['XYZ', ''],
    ['', ''],
    ['IFX', 'Simulator'],
    ['INTC', 'SW TPM'],
  ])('is none where it is %s %s', (manufacturer, vendorString) => {
    expect(emulatorName(manufacturer, vendorString)).toBe(`${manufacturer} ${vendorString}`.trim());
  });
});

describe('doctor', () => {
  it('is content with a TPM in order', () => {
    expect(states({})).toEqual(['ok', 'ok']);
  });

  it('warns of an emulator and of wrong PINs, and fails a TPM in lockout with the command that ends it', () => {
    expect(states({ emulator: 'IBM SW TPM', failures: 3 })).toEqual(['warning', 'warning']);
    const [, lockout] = judgeFacts('TPM', { ...facts, inLockout: true, failures: 32 }, true);
    expect(lockout?.state).toBe('failure');
    expect(lockout?.text).toContain('32 of 32 wrong PINs are counted');
    expect(lockout?.text).toContain('tpm2_dictionarylockout --clear-lockout');
  });

  it('says what an owner with a password keeps from it', () => {
    expect(states({ ownerAuthSet: true }, true)).toEqual(['ok', 'ok', 'warning']);
    expect(states({ ownerAuthSet: true }, false)).toEqual(['ok', 'ok', 'failure']);
  });
});
