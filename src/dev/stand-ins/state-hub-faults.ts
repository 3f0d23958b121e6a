/** What can be made to go wrong with the stand-in, and with what it says. */
import { z } from 'zod';

/**
 * `http_500`        500, nothing happened
 * `slow`            the answer comes only after `slow_ms`
 * `rubbish`         done, and the answer cannot be used
 * `prompt_injected` titles hold instructions to a model, template braces, paths and a megabyte of text
 */
export const STATE_HUB_FAULTS = ['http_500', 'slow', 'rubbish', 'prompt_injected'] as const;
export type StateHubFault = (typeof STATE_HUB_FAULTS)[number];

/** They are in force until they are set again. `slow_ms`: longer than the ten seconds that activity-core waits. */
export const stateHubFaultsSchema = z.strictObject({
  faults: z.array(z.enum(STATE_HUB_FAULTS)),
  slow_ms: z.int().min(0).max(600_000).default(15_000),
});
export type StateHubFaultSettings = z.input<typeof stateHubFaultsSchema>;
export type StateHubFaultsInForce = z.output<typeof stateHubFaultsSchema>;

export interface StateHubFaults {
  inForce(): StateHubFaultsInForce;
  has(fault: StateHubFault): boolean;
  /** In the place of all that was set before. @throws ZodError */
  set(settings: StateHubFaultSettings): void;
}

export function createStateHubFaults(): StateHubFaults {
  let inForce = stateHubFaultsSchema.parse({ faults: [] });
  return {
    inForce: () => ({ ...inForce, faults: [...inForce.faults] }),
    has: (fault) => inForce.faults.includes(fault),
    set(settings) {
      inForce = stateHubFaultsSchema.parse(settings);
    },
  };
}
