import type { MaintenanceState } from '../generated/graphql.ts';
import { stores as text } from '../text/stores.ts';
import { Badge, type Tone } from './notice.tsx';

const TONES: Record<MaintenanceState, Tone> = {
  PENDING: 'neutral',
  RUNNING: 'neutral',
  COMPLETED: 'good',
  CANCELLED: 'neutral',
  FAILED: 'bad',
  STOPPED: 'warn',
};

/** State of a maintenance run. */
export const RunState = ({ state }: { readonly state: MaintenanceState }) => (
  <Badge tone={TONES[state]}>{text.runStates[state]}</Badge>
);
