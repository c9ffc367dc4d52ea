import { describe, expect, it } from 'vitest';
import reference from '../../test/reference/statistics-reference.json' with { type: 'json' };
import { detectableDifference, detectablePairedDifference } from './detectable-effect.ts';

describe('detectable effect', () => {
  it('equals the root that scipy finds, paired', () => {
    for (const { difference, alpha, power, ...study } of reference.detectable.paired) {
      const found = detectablePairedDifference(study, { alpha, power });
      expect(Math.abs((found ?? Number.NaN) - difference)).toBeLessThan(1e-9);
    }
  });

  it('equals the root that scipy finds, unpaired', () => {
    for (const { difference, alpha, power, ...study } of reference.detectable.unpaired) {
      const found = detectableDifference(study, { alpha, power });
      expect(Math.abs((found ?? Number.NaN) - difference)).toBeLessThan(1e-9);
    }
  });

  it('says so when nothing would be found', () => {
    expect(detectablePairedDifference({ pairs: 5, discordance: 0.1 })).toBeNull();
    expect(detectableDifference({ perArm: 2, baseRate: 0.5 })).toBeNull();
  });
});
