/**
 * Entry of `robust-image.js`, a module for the pages of others. It defines `<robust-image>` where there are
 * elements, and can be imported where there are none.
 */
import { RobustImage } from './element.ts';

export { robustImage } from './controller.ts';

if (typeof customElements !== 'undefined' && !customElements.get('robust-image'))
  customElements.define('robust-image', RobustImage);
