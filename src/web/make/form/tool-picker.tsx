import { make as text } from '../../text/make.ts';
import styles from '../make.module.css';
import type { Form } from './form.ts';

/** The tools, and what the chosen one does. */
export function ToolPicker({ draft, set, tools, tool }: Form) {
  return (
    <fieldset className={styles.tools}>
      <legend>{text.tool}</legend>
      <div className={styles.toolGrid}>
        {tools.map(({ name, description }) => (
          <label key={name} className={styles.tool} title={description}>
            <input
              type="radio"
              name="tool"
              value={name}
              checked={draft.tool === name}
              onChange={() => set({ tool: name })}
            />
            <span>{text.tools[name] ?? name}</span>
          </label>
        ))}
      </div>
      <p className={styles.soft} aria-live="polite">
        {tool.description}
      </p>
    </fieldset>
  );
}
