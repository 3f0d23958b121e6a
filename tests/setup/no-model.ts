import { pino } from 'pino';
import { type AskModel, createAskModel } from '../../src/activities/ask-model.ts';
import { createMemoryCallJournal } from '../../src/activities/call-journal.ts';
import { createOutputCheck } from '../../src/core/output-schema.ts';

/** As where LLM_CONNECT_URL is not set. */
export function createNoModel(): AskModel {
  return createAskModel({
    llmConnect: null,
    checkOutput: createOutputCheck(),
    journal: createMemoryCallJournal(),
    logger: pino({ level: 'silent' }),
  });
}
