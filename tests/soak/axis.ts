/** An axis from 0 to a round number. */
export interface Axis {
  most: number;
  marks: number[];
}

const STEPS = [1, 2, 2.5, 5, 10];

/** `steps`: at most. */
export function axisTo(largest: number, steps = 5): Axis {
  const reach = largest > 0 ? largest : 1;
  const magnitude = 10 ** Math.floor(Math.log10(reach / steps));
  const step = (STEPS.find((one) => one * magnitude * steps >= reach) ?? 10) * magnitude;
  const count = Math.ceil(reach / step - 1e-9);
  // By multiplication: sums of 0.1 would not be round.
  return {
    most: count * step,
    marks: Array.from({ length: count + 1 }, (_, n) => Number((n * step).toPrecision(12))),
  };
}

export const markText = (value: number): string =>
  value.toString().replace(/^\d{4,}/, (digits) => digits.replaceAll(/\B(?=(\d{3})+$)/g, ' '));
