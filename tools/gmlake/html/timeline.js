// Memory over time: live bytes stacked by group, what was taken from the device as a line, the chosen instant as another.

const kLeft = 74, kBottom = 22;  // for labels

class TimeLine {
  constructor(trace, chosen) {
    this.trace = trace;
    this.chosen = chosen;
    this.instant = trace.peak;
    this.timed = trace.time !== null && trace.time[trace.events - 1] > 0;
    this.axis = new Axis(...trace.extent(this.timed), 4);
    this.marked = null;  // what a drag with Shift has marked
    const controls = [choice('Stacked by', this.groupings(), kind => this.groupBy(kind))];
    if (this.timed)
      controls.push(choice('Along', [['time', 'along time'], ['event', 'along events']], value => this.along(value === 'time')));
    controls.push(element('button', {onclick: () => this.choose(trace.peak)}, 'Peak'),
                  element('button', {onclick: () => { this.axis.reset(); this.changed(); }}, 'All'));
    this.panel = panel('timeline', 'Memory over time', ...controls);
    this.board = new Board(300, 'Memory over time. Left and right choose the instant, plus and minus zoom, page keys move.',
                           (...of) => this.draw(...of));
    this.status = element('output', {});
    this.legend = element('div');
    this.panel.append(this.board.canvas, this.legend, this.status, element('p', {className: 'hint'},
      'Click or drag: the instant that the pictures below show. Wheel or + and -: zoom. Shift and drag: zoom into what is marked. ' +
      'Shift and wheel, page keys: move. 0: all. Arrows: the instant, with Ctrl by single events.'));
    navigate(this.board, this.axis, at => this.placeAt(at.x), () => trace.place(this.instant, this.timed), () => this.changed());
    this.pointer();
    this.keys();
    this.changed();
  }

  groupings() {
    const all = [['stream', 'by stream'], ['size', 'by size']];
    if (this.trace.stack) all.push(['site', 'by call site']);
    return all;
  }
  groupBy(kind) {
    this.trace.groupBy(kind);
    this.changed();
    this.chosen(this.instant);
  }
  along(timed) {
    this.timed = timed;
    this.axis.extent(...this.trace.extent(timed));
    this.changed();
  }

  changed() {
    const entries = this.trace.groups.map((name, g) => [g, name]);
    if (this.trace.level.length > 0) entries.push(['physical', 'taken from the device']);
    if (this.trace.about.failures.length > 0) entries.push(['accent', 'allocation that failed']);
    this.legend.replaceChildren(legend(entries));
    this.say(this.instant, 'chosen: ');
    this.board.later();
  }

  choose(event) {
    this.instant = Math.max(0, Math.min(this.trace.events - 1, event));
    const place = this.trace.place(this.instant, this.timed);
    if (place < this.axis.from || place > this.axis.to) this.axis.show(place - this.axis.span / 2, place + this.axis.span / 2);
    this.changed();
    this.chosen(this.instant);
  }

  say(event, before) {
    if (event < 0) return;
    const trace = this.trace, reserved = trace.reservedAfter(event);
    let text = `${before}event ${countText(event)}`;
    if (trace.time) text += `, ${timeText(trace.time[event])}`;
    text += `: live ${bytesText(trace.live[event])}`;
    if (reserved !== null) text += `, taken from the device ${bytesText(reserved)}`;
    const sums = trace.sumsAfter(event);
    trace.groups.forEach((name, g) => { if (sums[g] > 0) text += `; ${name} ${bytesText(sums[g])}`; });
    this.status.textContent = text;
  }

  placeAt(x) { return this.axis.from + (x - kLeft) / (this.board.width - kLeft) * this.axis.span; }
  xOf(place) { return kLeft + (place - this.axis.from) / this.axis.span * (this.board.width - kLeft); }
  eventAt(x) { return Math.max(0, this.trace.eventAt(this.placeAt(x), this.timed)); }

  pointer() {
    const canvas = this.board.canvas;
    let drag = null;
    canvas.addEventListener('pointerdown', event => {
      canvas.focus();
      canvas.setPointerCapture(event.pointerId);
      const {x} = this.board.at(event);
      drag = event.shiftKey ? 'mark' : 'instant';
      if (drag === 'mark') this.marked = [x, x];
      else this.choose(this.eventAt(x));
    });
    canvas.addEventListener('pointermove', event => {
      const {x} = this.board.at(event);
      if (drag === 'instant') this.choose(this.eventAt(x));
      else if (drag === 'mark') {
        this.marked[1] = x;
        this.board.later();
      } else this.say(this.eventAt(x), '');
    });
    canvas.addEventListener('pointerup', () => {
      if (drag === 'mark' && Math.abs(this.marked[1] - this.marked[0]) > 3) {
        const [a, b] = this.marked.map(x => this.placeAt(x)).sort((m, n) => m - n);
        this.axis.show(a, b);
      }
      this.marked = drag = null;
      this.changed();
    });
    canvas.addEventListener('pointerleave', () => { if (!drag) this.say(this.instant, 'chosen: '); });
    canvas.addEventListener('dblclick', () => {
      this.axis.reset();
      this.changed();
    });
  }

  keys() {
    this.board.canvas.addEventListener('keydown', event => {
      const way = {ArrowLeft: -1, ArrowRight: 1}[event.key];
      if (way) {
        event.preventDefault();
        const x = this.xOf(this.trace.place(this.instant, this.timed)) + 4 * way;
        const there = event.ctrlKey ? this.instant + way : this.trace.eventAt(this.placeAt(x), this.timed);
        this.choose(there === this.instant ? there + way : there);
      } else if (event.key === 'Home') this.choose(0);
      else if (event.key === 'End') this.choose(this.trace.events - 1);
      else if (event.key === 'p') this.choose(this.trace.peak);
    });
  }

  draw(context, width, height) {
    const colours = palette(), trace = this.trace, axis = this.axis;
    const plot = {width: Math.max(1, Math.floor(width - kLeft)), height: height - kBottom};
    const columns = trace.columns(axis.from, axis.to, plot.width, this.timed);
    let top = 1;
    for (const high of columns.high) top = Math.max(top, high);
    const reserved = [];
    if (trace.level.length > 0)
      for (let p = 0; p < plot.width; ++p) {
        const event = trace.eventAt(axis.from + axis.span * p / plot.width, this.timed);
        reserved.push(trace.reservedAfter(event) || 0);
        top = Math.max(top, reserved[p]);
      }
    top *= 1.06;
    const y = bytes => plot.height - bytes / top * plot.height;
    context.fillStyle = colours.hole;
    context.fillRect(kLeft, 0, plot.width, plot.height);
    const g = trace.groups.length;
    const base = new Float64Array(plot.width);
    for (let k = 0; k < g; ++k) {
      context.fillStyle = colours.group(k);
      for (let p = 0; p < plot.width; ++p) {
        const part = columns.parts[p * g + k];
        if (part <= 0) continue;
        const upper = y(base[p] + part);
        context.fillRect(kLeft + p, upper, 1, y(base[p]) - upper);
        base[p] += part;
      }
    }
    // How far it falls between two highest moments of a column.
    context.fillStyle = colours.ink;
    context.globalAlpha = 0.35;
    for (let p = 0; p < plot.width; ++p)
      if (columns.high[p] - columns.low[p] > top / plot.height) context.fillRect(kLeft + p, y(columns.low[p]), 1, 1.5);
    context.globalAlpha = 1;
    this.line(context, reserved, y, colours.physical);
    for (const [event] of trace.about.failures)
      this.upright(context, event === 0 ? 0 : trace.place(Math.min(trace.events - 1, event), this.timed), plot.height, colours.accent, 1);
    this.labels(context, colours, plot, top, y);
    this.upright(context, trace.place(this.instant, this.timed), plot.height, colours.focus, 2);
    if (this.marked) {
      context.fillStyle = colours.focus;
      context.globalAlpha = 0.2;
      context.fillRect(Math.min(...this.marked), 0, Math.abs(this.marked[1] - this.marked[0]), plot.height);
      context.globalAlpha = 1;
    }
  }

  line(context, values, y, colour) {
    if (values.length === 0) return;
    context.strokeStyle = colour;
    context.lineWidth = 1.5;
    context.beginPath();
    values.forEach((value, p) => {
      if (p > 0 && values[p - 1] !== value) context.lineTo(kLeft + p, y(values[p - 1]));
      context.lineTo(kLeft + p, y(value));
    });
    context.stroke();
  }

  upright(context, place, height, colour, width) {
    if (place < this.axis.from || place > this.axis.to) return;
    context.fillStyle = colour;
    context.fillRect(Math.min(this.xOf(place), this.board.width - width), 0, width, height);
  }

  labels(context, colours, plot, top, y) {
    context.strokeStyle = colours.line;
    context.fillStyle = colours.faint;
    context.lineWidth = 1;
    context.textAlign = 'right';
    context.textBaseline = 'middle';
    for (const at of ticks(0, top, 5, true)) {
      if (at > 0) context.fillText(bytesText(at), kLeft - 6, Math.max(8, y(at)));
      context.globalAlpha = 0.5;
      context.fillRect(kLeft, y(at), plot.width, 0.5);
      context.globalAlpha = 1;
    }
    context.textBaseline = 'top';
    for (const at of ticks(this.axis.from, this.axis.to, plot.width / 130, false)) {
      const x = this.xOf(at), text = this.timed ? timeText(at) : countText(Math.round(at));
      const half = context.measureText(text).width / 2;
      context.textAlign = 'center';
      context.fillText(text, Math.max(kLeft + half, Math.min(this.board.width - half, x)), plot.height + 6);
      context.fillRect(x, plot.height, 1, 4);
    }
  }
}
