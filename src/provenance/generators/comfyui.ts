import {
  asDigits,
  asNumber,
  asObject,
  asText,
  type JsonObject,
  ownProperty,
  parseJsonObject,
} from './json-values.ts';
import type { Recipe } from './recipe.ts';

/** Most nodes that one search visits. Real graphs have fewer. */
const MAX_VISITED_NODES = 2000;

/** Names of inputs that hold a text. */
const TEXT_INPUTS = [
  'text',
  'text_g',
  't5xxl',
  'clip_l',
  'prompt',
  'string',
  'value',
  'wildcard_text',
  'populated_text',
];
const MODEL_INPUTS = ['ckpt_name', 'unet_name', 'model_name', 'base_ckpt_name'];
/** Names of inputs that never lead to a text. */
const INPUTS_WITHOUT_TEXT = new Set([
  'clip',
  'vae',
  'model',
  'image',
  'latent_image',
  'samples',
  'pixels',
  'mask',
  'control_net',
]);

/**
 * Comments that may have the graph in formats other than PNG: the graph itself, or `{ prompt, workflow }`.
 */
const COMMENTS = ['parameters', 'exif:UserComment', 'xmp:UserComment', 'Comment', 'exif:ImageDescription'];

interface Node {
  readonly type: string;
  readonly inputs: JsonObject;
}

/**
 * Reads ComfyUI. It stores no prompt, but the graph that it ran: `{ id: { class_type, inputs } }`. An input
 * is a value or a link `[id, output]` to another node. The texts, the model and the numbers are found by
 * following the links back from the sampler. Thousands of custom nodes exist, but their inputs have similar
 * names.
 */
export function parseComfyui(texts: ReadonlyMap<string, string>): Recipe | null {
  const objects = [parseJsonObject(texts.get('prompt')), parseJsonObject(texts.get('workflow'))];
  for (const name of COMMENTS) {
    const object = parseJsonObject(texts.get(name));
    if (object) objects.push(object, objectProperty(object, 'prompt'), objectProperty(object, 'workflow'));
  }
  const nodes = objects.map(nodesOf).find(({ size }) => size > 0);
  // A workflow is the graph as the editor draws it, `{ nodes, links }`. Its inputs have no names, so only its
  // form is used.
  if (!nodes)
    return objects.some((it) => Array.isArray(ownProperty(it, 'nodes'))) ? { generator: 'ComfyUI' } : null;
  const samplers = [...nodes.values()].filter(({ type }) => /sampler/i.test(type) && !/select/i.test(type));
  const recipes = samplers.map((sampler) => recipeOf(nodes, sampler));
  // A second sampler refines the picture of the first. The first one with a prompt decides.
  return recipes.find((recipe) => recipe.prompt) ?? recipes[0] ?? { generator: 'ComfyUI' };
}

/** Returns a property that is an object or the JSON of one; otherwise null. */
function objectProperty(object: JsonObject, key: string): JsonObject | null {
  const value = ownProperty(object, key);
  return typeof value === 'string' ? parseJsonObject(value) : asObject(value);
}

function nodesOf(graph: JsonObject | null): Map<string, Node> {
  const nodes = new Map<string, Node>();
  for (const [id, value] of Object.entries(graph ?? {})) {
    const type = asText(ownProperty(asObject(value), 'class_type'));
    if (type) nodes.set(id, { type, inputs: asObject(ownProperty(asObject(value), 'inputs')) ?? {} });
  }
  return nodes;
}

function recipeOf(nodes: ReadonlyMap<string, Node>, sampler: Node): Recipe {
  return {
    generator: 'ComfyUI',
    prompt: promptOf(nodes, sampler, 'positive'),
    negativePrompt: promptOf(nodes, sampler, 'negative'),
    model: nearestInput(nodes, sampler, MODEL_INPUTS, asText),
    seed: nearestInput(nodes, sampler, ['seed', 'noise_seed'], asDigits),
    steps: nearestInput(nodes, sampler, ['steps'], asNumber),
    sampler: nearestInput(nodes, sampler, ['sampler_name'], asText),
    cfgScale: nearestInput(nodes, sampler, ['cfg', 'cfg_scale', 'guidance'], asNumber),
  };
}

function promptOf(
  nodes: ReadonlyMap<string, Node>,
  sampler: Node,
  side: 'positive' | 'negative',
): string | null {
  let node = sampler;
  for (let hops = 0; hops < 10; hops += 1) {
    const sided = linkedNode(nodes, ownProperty(node.inputs, side));
    if (sided) return findText(nodes, sided, side);
    const guider = linkedNode(nodes, ownProperty(node.inputs, 'guider'));
    if (guider) {
      node = guider;
      continue;
    }
    // A guider without sides has one conditioning, which is the positive one.
    const only =
      linkedNode(nodes, ownProperty(node.inputs, 'conditioning')) ??
      linkedNode(nodes, ownProperty(node.inputs, 'cond'));
    return only && side === 'positive' ? findText(nodes, only, side) : null;
  }
  return null;
}

/** Searches backwards from a conditioning node, depth first, for a text. */
function findText(nodes: ReadonlyMap<string, Node>, start: Node, side: string): string | null {
  const seen = new Set<Node>();
  const stack = [start];
  for (let node = stack.pop(); node && seen.size < MAX_VISITED_NODES; node = stack.pop()) {
    // With Flux the negative side is often the positive one, zeroed. It has no text of its own.
    if (seen.has(node) || /ZeroOut/i.test(node.type)) continue;
    seen.add(node);
    const { inputs } = node;
    for (const name of TEXT_INPUTS) {
      const text = asText(ownProperty(inputs, name));
      if (text) return text;
    }
    // A node with both sides, such as a ControlNet, is left on the side that is searched.
    const sided = linkedNode(nodes, ownProperty(inputs, side));
    const next = sided
      ? [sided]
      : Object.keys(inputs)
          .filter((name) => !INPUTS_WITHOUT_TEXT.has(name))
          .map((name) => linkedNode(nodes, inputs[name]));
    // `pop` takes the last node, so the first one is pushed last.
    for (const linked of next.reverse()) if (linked) stack.push(linked);
  }
  return null;
}

/** Searches backwards from a node, breadth first, for an input with one of the names. */
function nearestInput<Value>(
  nodes: ReadonlyMap<string, Node>,
  start: Node,
  names: readonly string[],
  read: (value: unknown) => Value | null,
): Value | null {
  const queue = [start];
  const seen = new Set<Node>(queue);
  for (let at = 0; at < queue.length && at < MAX_VISITED_NODES; at += 1) {
    const { inputs } = queue[at] as Node;
    for (const name of names) {
      const value = ownProperty(inputs, name);
      const found = read(value) ?? readLinked(nodes, value, read);
      if (found !== null) return found;
    }
    for (const value of Object.values(inputs)) {
      const next = linkedNode(nodes, value);
      if (next && !seen.has(next)) queue.push(next);
      if (next) seen.add(next);
    }
  }
  return null;
}

/** Reads the value from the inputs of the linked node, which may be a node that only holds a value. */
function readLinked<Value>(
  nodes: ReadonlyMap<string, Node>,
  link: unknown,
  read: (value: unknown) => Value | null,
): Value | null {
  const node = linkedNode(nodes, link);
  if (!node) return null;
  for (const value of Object.values(node.inputs)) {
    const found = read(value);
    if (found !== null) return found;
  }
  return null;
}

function linkedNode(nodes: ReadonlyMap<string, Node>, value: unknown): Node | null {
  if (!Array.isArray(value) || value.length !== 2) return null;
  const [id] = value;
  return typeof id === 'string' || typeof id === 'number' ? (nodes.get(String(id)) ?? null) : null;
}
