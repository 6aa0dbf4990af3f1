import { Button } from '../design/button.tsx';
import { formatBytes, formatCount } from '../design/format.ts';
import { Badge } from '../design/notice.tsx';
import { Table } from '../design/page.tsx';
import type { PolicyFieldsFragment } from '../generated/graphql.ts';
import { retention as text } from '../text/retention.ts';
import styles from './retention.module.css';

type Policy = PolicyFieldsFragment;

interface PolicyTableProps {
  readonly policies: readonly Policy[];
  readonly onPreview: (policy: Policy) => void;
  readonly onEdit: (policy: Policy) => void;
  readonly onDelete: (policy: Policy) => void;
}

const { columns } = text;

export const PolicyTable = ({ policies, ...actions }: PolicyTableProps) => (
  <Table label={text.policies} stacks>
    <thead>
      <tr>
        {Object.values(columns).map((name) => (
          <th key={name} scope="col">
            {name}
          </th>
        ))}
      </tr>
    </thead>
    <tbody>
      {policies.map((policy) => (
        <PolicyRow key={policy.name} policy={policy} {...actions} />
      ))}
    </tbody>
  </Table>
);

interface PolicyRowProps extends Omit<PolicyTableProps, 'policies'> {
  readonly policy: Policy;
}

function PolicyRow({ policy, onPreview, onEdit, onDelete }: PolicyRowProps) {
  const { name, enabled, source, images } = policy;
  return (
    <tr>
      <th scope="row">{name}</th>
      <td data-label={columns.rule} className={styles.rule}>
        {limitsOf(policy)}
      </td>
      <td data-label={columns.images} className={styles.rule}>
        {images ? conditionsOf(images as Record<string, unknown>) : text.allImages}
      </td>
      <td data-label={columns.state}>
        <span className={styles.badges}>
          <Badge tone={enabled ? 'good' : 'neutral'}>
            {enabled ? text.states.enabled : text.states.disabled}
          </Badge>
          {source === 'FILE' ? <Badge>{text.states.file}</Badge> : null}
        </span>
      </td>
      <td data-label={columns.action}>
        <span className={styles.badges}>
          <Button icon="eye" aria-label={text.previewOf(name)} onClick={() => onPreview(policy)}>
            {text.preview}
          </Button>
          {source === 'FILE' ? null : (
            <>
              <Button kind="quiet" aria-label={text.editOf(name)} onClick={() => onEdit(policy)}>
                {text.edit}
              </Button>
              <Button kind="quiet" aria-label={text.removeOf(name)} onClick={() => onDelete(policy)}>
                {text.remove}
              </Button>
            </>
          )}
        </span>
      </td>
    </tr>
  );
}

/** Returns the limits of a policy for people. */
function limitsOf({ maxAgeDays, ageOf, maxCount, maxBytes, per, keepNewest }: Policy): string {
  const { limits } = text;
  const age = ageOf === 'UPDATED' ? limits.unchanged : limits.age;
  const found = [
    maxAgeDays === null ? null : age(formatCount(maxAgeDays)),
    maxCount === null ? null : `${limits.count(formatCount(maxCount))} ${text.per[per]}`,
    maxBytes === null ? null : `${limits.bytes(formatBytes(maxBytes))} ${text.per[per]}`,
    keepNewest === null ? null : `${limits.keep(formatCount(keepNewest))} ${text.per[per]}`,
  ];
  return found.filter((limit) => limit !== null).join(', ');
}

const conditionsOf = (images: Readonly<Record<string, unknown>>) =>
  Object.entries(images)
    .map(([field, value]) => `${field}: ${typeof value === 'string' ? value : JSON.stringify(value)}`)
    .join(', ');
