/** Made-up content: six workstreams and thirty open tasks of a small company, some of them stale, some not yet estimated. */

export interface StandInWorkstream {
  id: string;
  title: string;
  status: 'active';
  owner: string;
}

/** An input that nobody has estimated yet is null. */
export interface StandInHubTask {
  id: string;
  title: string;
  workstream_id: string;
  status: 'open';
  business_value: number | null;
  time_criticality: number | null;
  risk_reduction: number | null;
  job_size: number | null;
  /** RFC 3339, UTC. */
  updated_at: string;
}

export interface StandInContent {
  workstreams: StandInWorkstream[];
  tasks: StandInHubTask[];
}

type Estimate = number | null;
/** `age`: days since it was touched. */
type Row = [
  title: string,
  workstream: string,
  value: Estimate,
  urgency: Estimate,
  risk: Estimate,
  size: Estimate,
  age: number,
];

const WORKSTREAMS: readonly [id: string, title: string, owner: string][] = [
  ['custodian', 'Custodian: keys, certificates and backups', 'ines'],
  ['kaizen-stack', 'Kaizen: agents that review their own work', 'tomas'],
  ['railiance', 'Railiance: the cluster and its upgrades', 'ines'],
  ['billing', 'Invoices that customers understand', 'mara'],
  ['onboarding', 'A first week without waiting', 'jonas'],
  ['knowledge', 'Working memory and runbooks', 'tomas'],
];

const ROWS: readonly Row[] = [
  ['Renew the wildcard certificate before it runs out', 'custodian', 13, 20, 20, 2, 1],
  ['Restore last night’s PostgreSQL backup into an empty cluster', 'custodian', 13, 13, 20, 5, 3],
  ['Move the OPS hub key into the shared vault', 'custodian', 8, 8, 13, 3, 24],
  ['Take former colleagues off the bastion host', 'custodian', 5, 13, 13, 1, 2],
  ['Agree who holds the second signing key', 'custodian', 8, null, 13, null, 41],
  ['Alarm when a backup is older than 26 hours', 'custodian', 8, 8, 13, 2, 5],
  ['Find out why the coach’s success rate fell below 0.7', 'kaizen-stack', 13, 13, 5, 3, 1],
  ['Retire agents that nobody has asked in a month', 'kaizen-stack', 3, 1, 2, 2, 63],
  ['Give pilot-c its own weekly optimization', 'kaizen-stack', 5, 3, 1, 2, 9],
  ['Compare this quarter’s reviews with the last one’s', 'kaizen-stack', 8, 3, 3, 8, 17],
  ['Write down what “done” means for a kaizen review', 'kaizen-stack', 5, 5, 3, 1, 6],
  ['Upgrade the ingress controller to the supported version', 'railiance', 5, 13, 13, 5, 2],
  ['Drain and replace the node that loses its disk', 'railiance', 8, 20, 13, 3, 0],
  ['Give every namespace a memory limit', 'railiance', 5, 3, 8, 5, 12],
  ['Try the upgrade of PostgreSQL on the staging cluster', 'railiance', 8, 5, 8, 8, 19],
  ['Decide on authenticated ingress for the admin API', 'railiance', 8, 2, 8, null, 52],
  ['Send the corrected invoices of October', 'billing', 20, 20, 8, 3, 1],
  ['Explain the usage line in two sentences', 'billing', 8, 5, 1, 1, 4],
  ['Stop charging for cancelled seats', 'billing', 13, 13, 5, 5, 2],
  ['Round amounts the way the tax office does', 'billing', 8, 8, 13, 3, 7],
  ['Import the bank statements without a spreadsheet', 'billing', 13, null, 3, 13, 34],
  ['Accounts on the first morning, without a ticket', 'onboarding', 13, 5, 3, 5, 8],
  ['A laptop that is ready when its owner arrives', 'onboarding', 8, 8, 2, 3, 11],
  ['Ask the last three joiners what they waited for', 'onboarding', 5, 3, 2, 1, 45],
  ['Name a buddy for everybody who starts in January', 'onboarding', 8, 13, 2, 1, 3],
  ['One page that says where things are', 'onboarding', null, null, null, null, 90],
  ['Runbook: what to do when the daily triage is missing', 'knowledge', 8, 13, 13, 2, 1],
  ['Delete working-memory notes that repeat each other', 'knowledge', 2, 1, 1, 3, 71],
  ['Link every decision record to the code that keeps it', 'knowledge', 5, 2, 5, 8, 28],
  ['Index the postmortems by what broke', 'knowledge', 5, 2, 8, 5, 38],
];

const DAY_MS = 86_400_000;
const FIRST_ID = 101;

/** The same for the same day: `today` is what the age of a task counts from. */
export function standInContent(today: Date): StandInContent {
  const midnight = Math.floor(today.getTime() / DAY_MS) * DAY_MS;
  return {
    workstreams: WORKSTREAMS.map(([id, title, owner]) => ({ id, title, status: 'active', owner })),
    tasks: ROWS.map((row, index) => taskOf(row, index, midnight)),
  };
}

function taskOf(row: Row, index: number, midnight: number): StandInHubTask {
  const [title, workstream_id, business_value, time_criticality, risk_reduction, job_size, age] = row;
  return {
    id: `HUB-${FIRST_ID + index}`,
    title,
    workstream_id,
    status: 'open',
    business_value,
    time_criticality,
    risk_reduction,
    job_size,
    updated_at: new Date(midnight - age * DAY_MS).toISOString(),
  };
}
