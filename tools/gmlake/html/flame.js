// Who holds the memory, by stack: the outermost call on top, each as wide as the bytes below it.

const kBar = 19;

// Of a trace: its blocks by stack.
class TraceStacks {
  constructor(trace) {
    this.trace = trace;
    this.instant = trace.peak;
    this.stacks = trace.about.stacks;
    this.kinds = [['live', 'bytes live at the instant'], ['all', 'bytes allocated in all']];
  }
  text(frame) { return frame < 0 ? 'no stack' : this.trace.frameText(frame); }
  bytes(kind) {
    const trace = this.trace, bytes = new Float64Array(this.stacks.length);
    for (let b = 0; b < trace.blocks; ++b)
      if (kind === 'all' || (trace.start[b] <= this.instant && trace.end[b] > this.instant))
        bytes[trace.stack[b]] += trace.size[b];
    return bytes;
  }
}

// Of what the library noted (stats.sample_bytes): the program's names stand outside its calls.
class HolderStacks {
  constructor(who) {
    this.who = who;
    this.stacks = who.stacks;
    this.kinds = [['at_peak', 'bytes at the peak'], ['live', 'bytes not freed'], ['allocated', 'bytes allocated in all']];
  }
  text(frame) { return frame < 0 ? 'calls unknown' : this.who.frames[frame]; }
  bytes(kind) { return Float64Array.from(this.who[kind]); }
}

class Flame {
  constructor(source) {
    this.source = source;
    this.kind = source.kinds[0][0];
    this.board = new Board(8 * kBar, 'Flame graph. Enter or click goes into a call, Escape comes back, arrows move.', (...of) => this.draw(...of));
    this.panel = panel('flame', 'Flame graph',
      choice('What is counted', source.kinds, kind => {
        this.kind = kind;
        this.build();
      }), element('button', {onclick: () => this.enter(this.root)}, 'All'));
    this.status = element('output', {});
    this.panel.append(this.board.canvas, this.status, element('p', {className: 'hint'},
      'Click: into a call. Arrows: from call to call, Enter: into it, Escape: back to all.'));
    const canvas = this.board.canvas;
    canvas.addEventListener('pointermove', event => this.say(this.nodeAt(this.board.at(event))));
    canvas.addEventListener('click', event => this.enter(this.nodeAt(this.board.at(event)) || this.root));
    canvas.addEventListener('keydown', event => this.key(event));
    this.build();
  }

  show(instant) {
    this.source.instant = instant;
    if (this.kind === 'live') this.build();
  }

  build() {
    const source = this.source, bytes = source.bytes(this.kind);
    this.root = {name: 'all', bytes: 0, children: new Map(), parent: null, depth: 0};
    let deepest = 0;
    source.stacks.forEach((frames, stack) => {
      if (bytes[stack] === 0) return;
      let node = this.root;
      node.bytes += bytes[stack];
      const path = frames.length ? [...frames].reverse() : [-1];
      for (const frame of path) {
        if (!node.children.has(frame))
          node.children.set(frame, {name: source.text(frame), bytes: 0, children: new Map(),
            parent: node, depth: node.depth + 1});
        node = node.children.get(frame);
        node.bytes += bytes[stack];
        deepest = Math.max(deepest, node.depth);
      }
    });
    this.board.height = Math.min(40, deepest + 1) * kBar + 2;
    this.board.canvas.style.height = this.board.height + 'px';
    this.enter(this.root);
  }

  enter(node) {
    this.into = this.at = node;
    this.say(node);
    this.board.later();
  }
  say(node) {
    if (node)
      this.status.textContent = `${node.name}: ${bytesText(node.bytes)}, ${(100 * node.bytes / (this.root.bytes || 1)).toFixed(1)} %`;
  }
  ranked(node) { return [...node.children.values()].sort((a, b) => b.bytes - a.bytes); }

  key(event) {
    const at = this.at, beside = at.parent ? this.ranked(at.parent) : [at];
    const next = {
      ArrowDown: () => this.ranked(at)[0], ArrowUp: () => at.parent,
      ArrowRight: () => beside[beside.indexOf(at) + 1], ArrowLeft: () => beside[beside.indexOf(at) - 1],
    }[event.key];
    if (event.key === 'Enter') this.enter(this.at);
    else if (event.key === 'Escape') this.enter(this.root);
    else if (next) {
      event.preventDefault();
      this.at = next() || at;
      this.say(this.at);
      this.board.later();
    }
  }

  nodeAt({x, y}) {
    const found = this.boxes.find(box => x >= box.x && x < box.x + box.width && y >= box.y && y < box.y + kBar);
    return found && found.node;
  }

  draw(context, width) {
    const colours = palette();
    this.boxes = [];
    const path = [];
    for (let node = this.into.parent; node; node = node.parent) path.unshift(node);
    path.forEach((node, depth) => this.boxes.push({node, x: 0, y: depth * kBar, width}));
    const lay = (node, x, share) => {
      if (share < 0.5) return;
      this.boxes.push({node, x, y: node.depth * kBar, width: share});
      let at = x;
      for (const child of this.ranked(node)) {
        const part = share * child.bytes / node.bytes;
        lay(child, at, part);
        at += part;
      }
    };
    lay(this.into, 0, width);
    context.textBaseline = 'middle';
    for (const {node, x, y, width: wide} of this.boxes) {
      context.globalAlpha = node.depth < this.into.depth ? 0.35 : 0.75;
      context.fillStyle = node.parent ? colours.group(hashed(node.name) % 8) : colours.line;
      context.fillRect(x, y, Math.max(0.5, wide - 1), kBar - 1);
      context.globalAlpha = 1;
      if (node === this.at) {
        context.strokeStyle = colours.ink;
        context.strokeRect(x + 1, y + 1, Math.max(1, wide - 3), kBar - 3);
      }
      if (wide < 30) continue;
      context.fillStyle = colours.ink;
      context.fillText(fitted(context, node.name, wide - 8), x + 4, y + kBar / 2);
    }
  }
}

// A name has the same colour each time.
function hashed(text) {
  let hash = 2166136261;
  for (let i = 0; i < text.length; ++i) hash = Math.imul(hash ^ text.charCodeAt(i), 16777619);
  return hash >>> 0;
}
