/** The stream `ACTIVITY` and our durable consumer on it (contract 2). */
import {
  AckPolicy,
  type ConsumerConfig,
  DeliverPolicy,
  DiscardPolicy,
  JetStreamApiError,
  type JetStreamManager,
  RetentionPolicy,
  StorageType,
  type StreamConfig,
} from '@nats-io/jetstream';
import { nanos } from '@nats-io/transport-node';
import { MAX_EVENT_BYTES, SUBJECT_PREFIX } from '../core/envelope.ts';
import type { Logger } from '../telemetry/logger.ts';

export const ACK_WAIT_MS = 15_000;
const SUBJECTS = `${SUBJECT_PREFIX}>`;
const STREAM_NOT_FOUND = 10_059;
const CONSUMER_NOT_FOUND = 10_014;

/** Creates the stream where it is missing; one that exists is used as it is, with a warning for each setting that loses or stalls. */
export async function ensureStream(jsm: JetStreamManager, name: string, logger: Logger): Promise<void> {
  const existing = await unlessNotFound(jsm.streams.info(name), STREAM_NOT_FOUND);
  if (existing) {
    for (const warning of hazardsOf(existing.config))
      logger.warn({ stream: name, hazard: warning }, 'the stream has a hazard');
    return;
  }
  await jsm.streams.add({
    name,
    subjects: [SUBJECTS],
    retention: RetentionPolicy.Workqueue,
    storage: StorageType.File,
    discard: DiscardPolicy.New,
    max_bytes: 2 * 1024 ** 3,
    max_age: 0,
    duplicate_window: nanos(120_000),
  });
  logger.info({ stream: name, subjects: SUBJECTS }, 'created the stream');
}

/** What of an existing stream's settings can lose an event or stall the flow. */
function hazardsOf(config: StreamConfig): string[] {
  const hazards: string[] = [];
  const covers = config.subjects?.some((subject) => subject === SUBJECTS || subject === '>');
  if (!covers && !config.sources?.length && !config.mirror)
    hazards.push(`subjects do not cover ${SUBJECTS}: events go elsewhere`);
  if (config.storage === StorageType.Memory)
    hazards.push('storage is memory: a restart of the server loses events');
  if (config.max_age > 0) hazards.push('max_age is set: events that wait too long are removed unseen');
  if (config.max_msgs_per_subject > 0)
    hazards.push('max_msgs_per_subject is set: events of one type push each other out');
  if (config.retention === RetentionPolicy.Interest)
    hazards.push('retention is interest: events are dropped while our consumer is missing');
  const limited = config.max_msgs > 0 || config.max_bytes > 0;
  if (limited && config.discard === DiscardPolicy.Old)
    hazards.push('discard is old with a limit: a full stream removes events unseen');
  if (config.max_msg_size > 0 && config.max_msg_size < MAX_EVENT_BYTES) {
    hazards.push(`max_msg_size is below ${MAX_EVENT_BYTES}: valid events are refused by the server`);
  }
  if (config.no_ack) hazards.push('no_ack is set: a publisher never knows whether its event was stored');
  if (config.allow_rollup_hdrs)
    hazards.push('allow_rollup_hdrs is set: a publisher can remove events that wait');
  if (config.allow_msg_ttl) hazards.push('allow_msg_ttl is set: an event can run out while it waits');
  if (config.sealed)
    hazards.push('the stream is sealed: nothing can be published, and nothing acknowledged leaves it');
  return hazards;
}

const CONSUMER = {
  ack_policy: AckPolicy.Explicit,
  deliver_policy: DeliverPolicy.All,
  ack_wait: nanos(ACK_WAIT_MS),
  // Quarantine is ours: after a limit of deliveries, a message would sit in the stream unseen.
  max_deliver: -1,
  max_ack_pending: 20_000,
} satisfies Partial<ConsumerConfig>;

export async function ensureConsumer(
  jsm: JetStreamManager,
  stream: string,
  name: string,
  logger: Logger,
): Promise<void> {
  const existing = await unlessNotFound(jsm.consumers.info(stream, name), CONSUMER_NOT_FOUND);
  if (!existing) {
    await jsm.consumers.add(stream, { durable_name: name, filter_subject: SUBJECTS, ...CONSUMER });
    logger.info({ stream, consumer: name }, 'created the consumer');
    return;
  }
  const { ack_wait, max_deliver, max_ack_pending } = CONSUMER;
  const { config } = existing;
  for (const hazard of consumerHazardsOf(config))
    logger.warn({ stream, consumer: name, hazard }, 'the consumer has a hazard');
  if (
    config.ack_wait === ack_wait &&
    config.max_deliver === max_deliver &&
    config.max_ack_pending === max_ack_pending
  )
    return;
  logger.warn(
    { stream, consumer: name, ack_wait, max_deliver, max_ack_pending },
    'the consumer differs and is updated',
  );
  await jsm.consumers.update(stream, name, { ack_wait, max_deliver, max_ack_pending });
}

/** What of an existing consumer cannot be changed, and loses or stalls. */
function consumerHazardsOf(config: ConsumerConfig): string[] {
  const hazards: string[] = [];
  if (config.ack_policy !== AckPolicy.Explicit)
    hazards.push('ack_policy is not explicit: events count as handled before they are');
  const filters = config.filter_subjects ?? [config.filter_subject ?? ''];
  if (!filters.some((filter) => filter === SUBJECTS || filter === '' || filter === '>')) {
    hazards.push(`its filter does not cover ${SUBJECTS}: some events are never delivered`);
  }
  if (config.headers_only) hazards.push('headers_only is set: events come without their payload');
  if (config.pause_until) hazards.push(`it is paused until ${config.pause_until}`);
  return hazards;
}

async function unlessNotFound<T>(request: Promise<T>, code: number): Promise<T | null> {
  try {
    return await request;
  } catch (error) {
    if (error instanceof JetStreamApiError && error.code === code) return null;
    throw error;
  }
}
