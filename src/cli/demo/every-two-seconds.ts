/** A definition that the demo adds to those that ship: a cron's shortest step would be a minute. */
export const EVERY_TWO_SECONDS = {
  id: 'demo-every-two-seconds',
  rule: 'say-the-time',
  text: `id: demo-every-two-seconds
title: Something to do every two seconds
owner: demo
trigger:
  schedule: { every: 2s, overlap: skip, catchup_window: 10s }
rules:
  - id: say-the-time
    condition: run.scheduled_for != null
    task:
      title: "It is {{ run.scheduled_for }}"
`,
};
