import {
  digitsOf,
  type JsonObject,
  numberOf,
  objectOf,
  own,
  parseObject,
  type Recipe,
  textOf,
} from './recipe.ts';

/** More than any real graph has between a sampler and what it is fed with. */
const MAX_STEPS = 2000;

/** What nodes call the text that they encode or pass on. */
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
/** Ways that lead away from text. */
const NO_TEXT = new Set([
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

/** Where the graph stands: in PNG under its own name, elsewhere in a comment; as itself, or in an object `{ prompt, workflow }`. */
const COMMENTS = ['parameters', 'exif:UserComment', 'xmp:UserComment', 'Comment', 'exif:ImageDescription'];

interface Node {
  readonly type: string;
  readonly inputs: JsonObject;
}

/**
 * ComfyUI writes no prompt but the graph that it ran: `{ id: { class_type, inputs } }`, where an input is a value or `[id, output]` of
 * another node. From the node that samples the ways are followed back to the texts, the model and the numbers; custom nodes by the thousand
 * name them almost alike.
 */
export function parseComfyui(texts: ReadonlyMap<string, string>): Recipe | null {
  const objects = [parseObject(texts.get('prompt')), parseObject(texts.get('workflow'))];
  for (const name of COMMENTS) {
    const object = parseObject(texts.get(name));
    if (object) objects.push(object, objectIn(object, 'prompt'), objectIn(object, 'workflow'));
  }
  const nodes = objects.map(nodesOf).find(({ size }) => size > 0);
  // A workflow has the graph as it is drawn: `{ nodes, links }`, where no input has a name.
  if (!nodes) return objects.some((it) => Array.isArray(own(it, 'nodes'))) ? { generator: 'ComfyUI' } : null;
  const samplers = [...nodes.values()].filter(({ type }) => /sampler/i.test(type) && !/select/i.test(type));
  const recipes = samplers.map((sampler) => recipeOf(nodes, sampler));
  // A second sampler refines what the first one drew; the first with a prompt is asked.
  return recipes.find((recipe) => recipe.prompt) ?? recipes[0] ?? { generator: 'ComfyUI' };
}

/** An object that is a property, as itself or as JSON. */
function objectIn(object: JsonObject, key: string): JsonObject | null {
  const value = own(object, key);
  return typeof value === 'string' ? parseObject(value) : objectOf(value);
}

function nodesOf(graph: JsonObject | null): Map<string, Node> {
  const nodes = new Map<string, Node>();
  for (const [id, value] of Object.entries(graph ?? {})) {
    const type = textOf(own(objectOf(value), 'class_type'));
    if (type) nodes.set(id, { type, inputs: objectOf(own(objectOf(value), 'inputs')) ?? {} });
  }
  return nodes;
}

function recipeOf(nodes: ReadonlyMap<string, Node>, sampler: Node): Recipe {
  return {
    generator: 'ComfyUI',
    prompt: promptOf(nodes, sampler, 'positive'),
    negativePrompt: promptOf(nodes, sampler, 'negative'),
    model: nearest(nodes, sampler, [MODEL_INPUTS, textOf]),
    seed: nearest(nodes, sampler, [['seed', 'noise_seed'], digitsOf]),
    steps: nearest(nodes, sampler, [['steps'], numberOf]),
    sampler: nearest(nodes, sampler, [['sampler_name'], textOf]),
    cfgScale: nearest(nodes, sampler, [['cfg', 'cfg_scale', 'guidance'], numberOf]),
  };
}

function promptOf(
  nodes: ReadonlyMap<string, Node>,
  sampler: Node,
  side: 'positive' | 'negative',
): string | null {
  let node = sampler;
  for (let hops = 0; hops < 10; hops += 1) {
    const sided = linked(nodes, own(node.inputs, side));
    if (sided) return textBehind(nodes, sided, side);
    const guider = linked(nodes, own(node.inputs, 'guider'));
    if (guider) {
      node = guider;
      continue;
    }
    // A guider without sides has one conditioning, and it is the positive one.
    const only = linked(nodes, own(node.inputs, 'conditioning')) ?? linked(nodes, own(node.inputs, 'cond'));
    return only && side === 'positive' ? textBehind(nodes, only, side) : null;
  }
  return null;
}

/** The first text on the ways back from a node of conditioning. */
function textBehind(nodes: ReadonlyMap<string, Node>, start: Node, side: string): string | null {
  const seen = new Set<Node>();
  const left = [start];
  for (let node = left.pop(); node && seen.size < MAX_STEPS; node = left.pop()) {
    // Flux takes an empty conditioning for the negative side by zeroing the positive one.
    if (seen.has(node) || /ZeroOut/i.test(node.type)) continue;
    seen.add(node);
    const { inputs } = node;
    for (const name of TEXT_INPUTS) {
      const text = textOf(own(inputs, name));
      if (text) return text;
    }
    // What goes on with both sides, as a ControlNet does, is left on the side it was met.
    const sided = linked(nodes, own(inputs, side));
    const ways = sided
      ? [sided]
      : Object.keys(inputs)
          .filter((name) => !NO_TEXT.has(name))
          .map((name) => linked(nodes, inputs[name]));
    // The last is taken first, so the first way is put last.
    for (const way of ways.reverse()) if (way) left.push(way);
  }
  return null;
}

/** The value of the first of `names` that is met going back from a node, nearest first. */
function nearest<Value>(
  nodes: ReadonlyMap<string, Node>,
  start: Node,
  [names, read]: [readonly string[], (value: unknown) => Value | null],
): Value | null {
  const queue = [start];
  const seen = new Set<Node>(queue);
  for (let at = 0; at < queue.length && at < MAX_STEPS; at += 1) {
    const { inputs } = queue[at] as Node;
    for (const name of names) {
      const value = own(inputs, name);
      const found = read(value) ?? readBehind(nodes, value, read);
      if (found !== null) return found;
    }
    for (const value of Object.values(inputs)) {
      const next = linked(nodes, value);
      if (next && !seen.has(next)) queue.push(next);
      if (next) seen.add(next);
    }
  }
  return null;
}

/** A number or a name that comes from a node which only holds it. */
function readBehind<Value>(
  nodes: ReadonlyMap<string, Node>,
  link: unknown,
  read: (value: unknown) => Value | null,
): Value | null {
  const node = linked(nodes, link);
  if (!node) return null;
  for (const value of Object.values(node.inputs)) {
    const found = read(value);
    if (found !== null) return found;
  }
  return null;
}

function linked(nodes: ReadonlyMap<string, Node>, value: unknown): Node | null {
  if (!Array.isArray(value) || value.length !== 2) return null;
  const [id] = value;
  return typeof id === 'string' || typeof id === 'number' ? (nodes.get(String(id)) ?? null) : null;
}
