/** The schema: every type says itself to the builder when its file is read; `schema.graphql` is what comes of it. */
import './scalars.ts';
import './user-error.ts';
import './copy.ts';
import './provenance.ts';
import './image.ts';
import './duplicates.ts';
import './family.ts';
import './image-list.ts';
import './image-stats.ts';
import './generate-image.ts';
import './generation.ts';
import './image-subscription.ts';
import './tools.ts';
import './upload-image.ts';
import './upload-target.ts';
import './import-image.ts';
import './record-image.ts';
import './restore-image.ts';
import './update-image.ts';
import './trash.ts';
import './store.ts';
import './token.ts';
import { builder } from './builder.ts';
import { readAfresh } from './fresh-reads.ts';
import { guard } from './guard.ts';

export const schema = guard(readAfresh(builder.toSchema()));
