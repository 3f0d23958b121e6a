/** Workplans, open and finished: their front matter, their tasks, and whether these say what shows them or what they wait for. */
import { globSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { matches, read } from './markdown.ts';

const workplans = globSync(['workplans/*.md', 'history/ACTIVITY-WP-*.md']).sort();

describe.each(workplans)('%s', (file) => {
  const [, head = '', body = ''] = read(file).split(/^---$/m);
  const plan = parse(head);

  test('has its front matter', () => {
    expect(plan).toEqual({
      id: expect.stringMatching(/^ACTIVITY-WP-\d{4}$/),
      type: 'workplan',
      title: expect.any(String),
      domain: expect.any(String),
      repo: 'activity-core',
      status: expect.stringMatching(/^(active|blocked|done)$/),
      owner: expect.any(String),
      topic_slug: expect.stringMatching(/^[a-z0-9-]+$/),
      created: expect.stringMatching(/^\d{4}-\d\d-\d\d$/),
      updated: expect.stringMatching(/^\d{4}-\d\d-\d\d$/),
    });
    const folder = plan.status === 'done' ? 'history' : 'workplans';
    expect(file).toBe(`${folder}/${plan.id}-${plan.topic_slug}.md`);
  });

  const tasks = body
    .split(/^## /m)
    .filter((text) => text.includes('```yaml'))
    .map((text) => ({ text, task: parse(matches(text, /^```yaml\n(.*?)^```$/gms)[0] ?? '') }));

  test('has tasks with id, status, priority and acceptance criteria', () => {
    for (const { text, task } of tasks) {
      expect(task).toEqual({
        id: expect.stringMatching(new RegExp(`^${plan.id}-T\\d\\d$`)),
        status: expect.stringMatching(/^(todo|in_progress|wait|done)$/),
        priority: expect.stringMatching(/^(low|medium|high)$/),
      });
      expect(text, task.id).toMatch(/^Acceptance criteria:\n\n- /m);
    }
    const ids = tasks.map(({ task }) => task.id);
    expect(ids.length).toBeGreaterThan(0);
    expect(new Set(ids).size).toBe(ids.length);
  });

  test('has the status that its tasks come to, and says what each waits for', () => {
    const statuses = new Set(tasks.map(({ task }) => task.status));
    const isOpen = statuses.has('todo') || statuses.has('in_progress');
    expect(plan.status).toBe(isOpen ? 'active' : statuses.has('wait') ? 'blocked' : 'done');
    const waiting = tasks.filter(({ task }) => task.status === 'wait');
    expect(waiting.filter(({ text }) => !/^Waits for: \S/m.test(text))).toEqual([]);
  });
});

describe('the gap closure', () => {
  const findings = matches(read('history/2026-06-16-intent-gap-analysis.md'), /^### F(\d)\. /gm);
  const tasks = read('workplans/ACTIVITY-WP-0009-intent-gap-closure.md').split(/^## /m);
  const taskOf = (number: string) =>
    tasks.find((text) => text.includes(`id: ACTIVITY-WP-0009-T0${number}\n`)) ?? '';

  test('has a task for each finding, with a test of this repository as evidence', () => {
    expect(findings).toEqual(['1', '2', '3', '4', '5', '6']);
    const unproven = findings.filter(
      (number) => !/^Evidence: [\s\S]*`tests\/[^`]+\.test\.ts`/m.test(taskOf(number)),
    );
    expect(unproven).toEqual([]);
  });

  test('its findings are marked as reconstructed', () => {
    expect(read('history/2026-06-16-intent-gap-analysis.md')).toMatch(/^\*\*Reconstructed\.\*\*/m);
  });
});
