// A part of a line that wheel, keys and pointer move about: the time line and the address map each have one.

class Axis {
  constructor(least, most, finest) {
    this.finest = finest;
    this.extent(least, most);
  }
  extent(least, most) {
    Object.assign(this, {least, most, from: least, to: most});
  }
  get span() { return this.to - this.from; }
  show(from, to) {
    const span = Math.max(this.finest, Math.min(this.most - this.least, to - from));
    this.from = Math.max(this.least, Math.min(from, this.most - span));
    this.to = this.from + span;
  }
  // About a place that stays where it is on the screen.
  zoom(factor, about) {
    const span = Math.max(this.finest, this.span * factor);
    const share = (about - this.from) / this.span;
    this.show(about - share * span, about - share * span + span);
  }
  pan(share) { this.show(this.from + share * this.span, this.to + share * this.span); }
  reset() { this.show(this.least, this.most); }
}

// Round places for labels: about `most` of them.
function ticks(from, to, most, binary) {
  const rough = (to - from) / most;
  let step;
  if (binary) step = 2 ** Math.ceil(Math.log2(rough));
  else {
    const power = 10 ** Math.floor(Math.log10(rough));
    step = [1, 2, 5, 10].find(factor => factor * power >= rough) * power;
  }
  const places = [];
  for (let at = Math.ceil(from / step) * step; at <= to && places.length < 50; at += step) places.push(at);
  return places;
}

// A canvas as sharp as the screen; `draw(context, width, height)` in the page's own pixels.
class Board {
  constructor(height, label, draw) {
    this.canvas = element('canvas', {tabIndex: 0, role: 'application', 'aria-label': label});
    this.canvas.style.height = height + 'px';
    this.height = height;
    this.draw = draw;
    this.due = false;
    new ResizeObserver(() => this.later()).observe(this.canvas);
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => this.later());
  }
  later() {
    if (this.due) return;
    this.due = true;
    requestAnimationFrame(() => this.now());
  }
  now() {
    this.due = false;
    const width = this.canvas.clientWidth, scale = window.devicePixelRatio || 1;
    if (width === 0) return;
    this.width = width;
    this.canvas.width = Math.round(width * scale);
    this.canvas.height = Math.round(this.height * scale);
    const context = this.canvas.getContext('2d');
    context.scale(scale, scale);
    context.font = '12px system-ui, sans-serif';
    this.draw(context, width, this.height);
  }
  // Where a pointer's event is, in the page's pixels.
  at(event) {
    const box = this.canvas.getBoundingClientRect();
    return {x: event.clientX - box.left, y: event.clientY - box.top};
  }
}

// What wheel and keys do alike on both. `about()` is the place that keys zoom about.
function navigate(board, axis, place, about, changed) {
  board.canvas.addEventListener('wheel', event => {
    event.preventDefault();
    if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY))
      axis.pan((event.deltaX || event.deltaY) / 1000);
    else axis.zoom(Math.exp(event.deltaY / 500), place(board.at(event)));
    changed();
  }, {passive: false});
  board.canvas.addEventListener('keydown', event => {
    const does = {
      '+': () => axis.zoom(0.5, about()), '=': () => axis.zoom(0.5, about()), '-': () => axis.zoom(2, about()),
      '0': () => axis.reset(), PageUp: () => axis.pan(-0.5), PageDown: () => axis.pan(0.5),
    }[event.key];
    if (!does || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    does();
    changed();
  });
}
