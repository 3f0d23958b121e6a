/** Where the calls to the model are kept: in PostgreSQL, or, for a dry run, nowhere beyond it. */
import {
  type Begun,
  type CallEnding,
  endCall,
  type InstructionCall,
  insertCall,
  listAcceptedCalls,
  listCallsOfRun,
  NO_RESULT,
  type Question,
} from '../store/instruction-calls.ts';
import type { Pool } from '../store/pool.ts';

export interface CallJournal {
  /** The chain's accepted answers to this very instruction; first the one that was accepted first, which stays the first. */
  listAccepted(question: Question): Promise<InstructionCall[]>;
  /** This run's calls for this instruction, in the order in which they were asked. */
  listOfRun(question: Question): Promise<InstructionCall[]>;
  /** The intent, on record before the request; refused where `maxCalls` of the chain count already, of whatever instruction. */
  begin(question: Question, request: { prompt_hash: string; maxCalls: number }): Promise<Begun>;
  /** On record before the answer is used. */
  end(question: Question, callId: number, ending: CallEnding): Promise<void>;
}

export function createCallJournal(pool: Pool): CallJournal {
  return {
    listAccepted: (question) => listAcceptedCalls(pool, question),
    listOfRun: (question) => listCallsOfRun(pool, question),
    begin: (question, request) => insertCall(pool, question, request),
    end: (question, callId, ending) => endCall(pool, question, callId, ending),
  };
}

type KeptCall = InstructionCall & Question & { counts: boolean; endedAs: number };

const NOTHING_YET = { ...NO_RESULT, ended_at: null, outcome: null };

/** One for each dry run: it knows of nothing that was asked before. */
export function createMemoryCallJournal(): CallJournal {
  const calls: KeptCall[] = [];
  let ended = 0;
  const ofChain = ({ definition_id, origin_trigger_key }: Question) =>
    calls.filter((call) => {
      return call.definition_id === definition_id && call.origin_trigger_key === origin_trigger_key;
    });
  const ofInstruction = (question: Question) =>
    ofChain(question).filter(({ instruction_id }) => instruction_id === question.instruction_id);

  return {
    async listAccepted(question) {
      return ofInstruction(question)
        .filter(({ definition_hash }) => definition_hash === question.definition_hash)
        .filter(({ outcome }) => outcome === 'accepted')
        .sort((one, other) => one.endedAs - other.endedAs);
    },
    async listOfRun(question) {
      return ofInstruction(question).filter(({ run_id }) => run_id === question.run_id);
    },
    async begin(question, { prompt_hash, maxCalls }) {
      const chain = ofChain(question);
      const used = chain.filter(({ counts }) => counts).length;
      if (used >= maxCalls) return { ok: false, used, last_fault: chain.at(-1)?.fault ?? null };
      const call_id = calls.length + 1;
      const asked_at = new Date().toISOString();
      calls.push({ ...NOTHING_YET, ...question, call_id, prompt_hash, asked_at, counts: true, endedAs: 0 });
      return { ok: true, call_id };
    },
    async end(_question, callId, { output: _, ...ending }) {
      const call = calls.find(({ call_id, ended_at }) => call_id === callId && ended_at === null);
      if (!call) return;
      ended += 1;
      Object.assign(call, ending, { ended_at: new Date().toISOString(), endedAs: ended });
    },
  };
}
