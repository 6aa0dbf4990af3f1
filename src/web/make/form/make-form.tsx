import { type FormEvent, useEffect, useRef, useState } from 'react';
import { useClient } from 'urql';
import { messageOf } from '../../client/errors.ts';
import { Button } from '../../design/button.tsx';
import { Icon } from '../../design/icon.tsx';
import { showToast } from '../../design/toast.tsx';
import { MakeFromDocument } from '../../generated/graphql.ts';
import { useKeys } from '../../state/keys.ts';
import { useSignal } from '../../state/signal.ts';
import { make as text } from '../../text/make.ts';
import { faultsOfDraft, inputOf } from '../draft.ts';
import { clearForm, draft as formDraft, setDraft } from '../form-state.ts';
import styles from '../make.module.css';
import { defaultModelOf, type Model, offersOf, type Tool } from '../offers.ts';
import { editorOf, usePrefill } from '../prefill.ts';
import { useDrop } from '../references/drop.ts';
import { addFiles, addImage } from '../references/edit-references.ts';
import { pictures } from '../references/pictures.ts';
import { ReferencesField } from '../references/references-field.tsx';
import { type SentFaults, useSubmit } from '../submit.ts';
import type { Form } from './form.ts';
import { Cost, ModelFields, MoreFields } from './model-fields.tsx';
import { OwnerFields } from './owner-fields.tsx';
import { PromptFields } from './prompt-fields.tsx';
import { ToolPicker } from './tool-picker.tsx';

interface MakeFormProps {
  readonly tools: readonly Tool[];
  readonly models: readonly Model[];
}

/** The form of a request. It offers only what the tool and the model can do. */
export function MakeForm({ tools, models }: MakeFormProps) {
  usePrefill(tools, models);
  const submit = useSubmit();
  const [isTried, setTried] = useState(false);
  const { references, mask } = useSignal(pictures);
  const form = useForm(tools, models, submit.faults, isTried);
  const element = useRef<HTMLFormElement>(null);
  const isOver = useReferences(form);
  useKeys([{ key: 'mod+Enter', label: text.submitKey, run: () => element.current?.requestSubmit() }]);
  useFirstFault(element, submit.faults);
  const onSubmit = (event: FormEvent) => {
    event.preventDefault();
    if (submit.isBusy) return;
    setTried(true);
    const faults = faultsOfDraft(form.draft, form.offers, references.length);
    if (Object.keys(faults).length > 0) return focusFault(element.current);
    const sources = references.map((each) =>
      'file' in each ? { file: each.file } : { id: each.image.uuid },
    );
    void submit.send(inputOf(form.draft, form.offers, { references: sources, mask: mask?.file ?? null }));
    return setTried(false);
  };
  return (
    <form
      ref={element}
      className={[styles.form, isOver ? styles.over : ''].join(' ')}
      onSubmit={onSubmit}
      onKeyDown={(event) => {
        if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) event.currentTarget.requestSubmit();
      }}
      noValidate
    >
      <ToolPicker {...form} />
      <PromptFields {...form} />
      <ReferencesField {...form} />
      <ModelFields {...form} />
      <details className={styles.more}>
        <summary>{text.more}</summary>
        <MoreFields {...form} />
        <OwnerFields {...form} />
      </details>
      <Foot form={form} isBusy={submit.isBusy} fault={submit.faults.form} isTried={isTried} />
    </form>
  );
}

interface FootProps {
  readonly form: Form;
  readonly isBusy: boolean;
  readonly fault: string | undefined;
  readonly isTried: boolean;
}

function Foot({ form, isBusy, fault, isTried }: FootProps) {
  const { references } = useSignal(pictures);
  const isFaulty =
    isTried && Object.keys(faultsOfDraft(form.draft, form.offers, references.length)).length > 0;
  return (
    <footer className={styles.foot}>
      {fault || isFaulty ? (
        <p className={styles.formFault} role="alert">
          <Icon name="warning" /> {fault ?? text.mendFirst}
        </p>
      ) : null}
      <Cost {...form} />
      <div className={styles.buttons}>
        <Button type="submit" kind="primary" icon="make" busy={isBusy}>
          {isBusy ? text.submitting : text.submit}
        </Button>
        <Button
          kind="quiet"
          onClick={() => {
            clearForm();
            showToast(text.cleared);
          }}
        >
          {text.clear}
        </Button>
      </div>
      <p className={styles.soft}>{text.keptNote}</p>
    </footer>
  );
}

function useForm(tools: readonly Tool[], models: readonly Model[], sent: SentFaults, isTried: boolean): Form {
  const draft = useSignal(formDraft);
  const { references } = useSignal(pictures);
  const tool = (tools.find(({ name }) => name === draft.tool) ?? tools[0]) as Tool;
  const chosen = models.find(({ id, available }) => id === draft.model && available);
  const model = chosen ?? defaultModelOf(tool, models);
  const offers = offersOf(tool, model);
  const faults = faultsOfDraft(draft, offers, references.length);
  return {
    draft,
    set: setDraft,
    tool,
    model,
    offers,
    tools,
    models,
    faultOf(field) {
      const fault = faults[field];
      return (isTried || fault === 'long') && fault ? text.faults[fault] : sent[field];
    },
  };
}

/** Takes dropped and pasted pictures. A tool without references gives way to the one that edits. */
function useReferences({ offers, tools }: Form): boolean {
  const client = useClient();
  const [isOver, setOver] = useState(false);
  const room = () => {
    if (offers.references.max > 0) return offers.references.max;
    setDraft({ tool: editorOf(tools) });
    showToast(text.switched);
    return 1;
  };
  useDrop({
    onOver: setOver,
    onFiles: (files) => addFiles(files, room()),
    onImage: (uuid) =>
      void client
        .query(MakeFromDocument, { id: uuid })
        .toPromise()
        .then(({ data, error }) => {
          if (data?.image) addImage(data.image, room());
          else showToast(error ? messageOf(error) : text.notFound, { tone: 'bad' });
        }),
  });
  return isOver;
}

/** Moves the focus to the first field that the server has refused. */
function useFirstFault(form: React.RefObject<HTMLFormElement | null>, faults: SentFaults): void {
  useEffect(() => {
    if (Object.keys(faults).some((field) => field !== 'form')) focusFault(form.current);
  }, [form, faults]);
}

/** Moves the focus to the first field with a fault, when its message is on the page. */
function focusFault(form: HTMLFormElement | null): void {
  requestAnimationFrame(() => {
    const field = form?.querySelector<HTMLElement>('[aria-invalid=true]');
    const details = field?.closest('details');
    if (details) details.open = true;
    field?.focus();
  });
}
