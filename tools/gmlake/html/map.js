// The address map: items by address in rows, like lines of text. Addresses that were never anybody's are left out.

const kGutter = 118, kRows = 12, kRow = 21;

// Places on the map for addresses, and back.
class Addresses {
  constructor(ranges) {
    this.ranges = ranges;
    this.offsets = [];
    let sum = 0;
    for (const [start, end] of ranges) {
      this.offsets.push(sum);
      sum += end - start;
    }
    this.whole = sum;
  }
  find(value, key) {
    let low = 0, high = this.ranges.length;
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (key(middle) <= value) low = middle;
      else high = middle;
    }
    return low;
  }
  offset(address) {
    const i = this.find(address, k => this.ranges[k][0]);
    return this.offsets[i] + address - this.ranges[i][0];
  }
  address(offset) {
    const i = this.find(offset, k => this.offsets[k]);
    return this.ranges[i][0] + offset - this.offsets[i];
  }
}

// `source` has: title, items (count), start(i), size(i), colour(i), text(i), hole(from, to), picked(i).
class AddressMap {
  constructor(ranges, title, hint) {
    this.places = new Addresses(ranges);
    this.axis = new Axis(0, Math.max(1, this.places.whole), 512);
    this.source = {items: 0};
    this.selected = -1;
    this.outlined = [];  // [start, size] pairs
    this.board = new Board(kRows * kRow, title + '. Left and right select, plus and minus zoom, page keys move.', (...of) => this.draw(...of));
    this.panel = panel('map', title, element('button', {onclick: () => { this.axis.reset(); this.board.later(); }}, 'All'));
    this.legend = element('div');
    this.status = element('output', {});
    this.details = element('div');
    this.panel.append(this.board.canvas, this.legend, this.status, this.details, element('p', {className: 'hint'}, hint +
      ' Wheel or + and -: zoom. Shift and wheel, page keys: move. 0: all. Click, or left and right: select. Escape: select nothing.'));
    navigate(this.board, this.axis, at => this.offsetAt(at) ?? this.axis.from, () => this.middle(), () => this.board.later());
    const canvas = this.board.canvas;
    canvas.addEventListener('pointermove', event => this.say(this.board.at(event)));
    canvas.addEventListener('pointerleave', () => { this.status.textContent = ''; });
    canvas.addEventListener('click', event => this.select(this.itemAt(this.offsetAt(this.board.at(event)))));
    canvas.addEventListener('dblclick', () => { this.axis.reset(); this.board.later(); });
    canvas.addEventListener('keydown', event => this.key(event));
  }

  show(source) {
    this.source = source;
    this.selected = -1;
    this.details.replaceChildren();
    this.board.later();
  }

  middle() {
    if (this.selected >= 0) return this.places.offset(this.source.start(this.selected));
    return (this.axis.from + this.axis.to) / 2;
  }
  key(event) {
    const way = {ArrowLeft: -1, ArrowRight: 1}[event.key];
    if (way && this.source.items > 0) {
      event.preventDefault();
      const next = this.selected < 0 ? this.first(this.places.address(this.axis.from)) : this.selected + way;
      this.select(Math.max(0, Math.min(this.source.items - 1, next)));
      const at = this.places.offset(this.source.start(this.selected));
      if (at < this.axis.from || at > this.axis.to) this.axis.show(at - this.axis.span / 2, at + this.axis.span / 2);
    } else if (event.key === 'Escape') this.select(-1);
  }
  select(item) {
    this.selected = item;
    this.details.replaceChildren(...(item < 0 ? [] : [this.source.picked(item)]));
    this.board.later();
  }

  // The first item that ends behind an address.
  first(address) {
    let low = 0, high = this.source.items;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.source.start(middle) + this.source.size(middle) <= address) low = middle + 1;
      else high = middle;
    }
    return low;
  }
  offsetAt({x, y}) {
    const row = Math.floor(y / kRow), width = this.board.width - kGutter;
    if (x < kGutter || row < 0 || row >= kRows) return null;
    return this.axis.from + (row + (x - kGutter) / width) * this.axis.span / kRows;
  }
  // Of what is narrower than a pixel the nearest.
  itemAt(offset) {
    if (offset === null || this.source.items === 0) return -1;
    const near = this.axis.span / kRows / this.board.width;
    const address = this.places.address(offset);
    const item = this.first(address);
    if (item < this.source.items && this.source.start(item) <= address) return item;
    for (const other of [item, item - 1])
      if (other >= 0 && other < this.source.items) {
        const start = this.source.start(other), end = start + this.source.size(other);
        if (Math.min(Math.abs(start - address), Math.abs(end - address)) <= near) return other;
      }
    return -1;
  }
  say(at) {
    const offset = this.offsetAt(at);
    if (offset === null) return;
    const item = this.itemAt(offset);
    if (item >= 0) {
      this.status.textContent = this.source.text(item);
      return;
    }
    const address = this.places.address(offset), next = this.first(address);
    const range = this.places.ranges[this.places.find(offset, k => this.places.offsets[k])];
    const from = next > 0 ? Math.max(range[0], this.source.start(next - 1) + this.source.size(next - 1)) : range[0];
    const to = next < this.source.items ? Math.min(range[1], this.source.start(next)) : range[1];
    this.status.textContent = this.source.hole(from, to);
  }

  draw(context, width, height) {
    const colours = palette(), row = this.axis.span / kRows, plot = width - kGutter, scale = plot / row;
    this.colours = colours;
    const strip = (from, to, paint) => {
      const a = Math.max(from, this.axis.from), b = Math.min(to, this.axis.to);
      if (a >= b) return;
      for (let r = Math.floor((a - this.axis.from) / row); r < kRows; ++r) {
        const begin = this.axis.from + r * row;
        if (begin >= b) break;
        const x0 = Math.max(0, (a - begin) * scale), x1 = Math.min(plot, (b - begin) * scale);
        paint(kGutter + x0, r * kRow, x1 - x0);
      }
    };
    strip(this.axis.least, this.places.whole, (x, y, w) => {
      context.fillStyle = colours.hole;
      context.fillRect(x, y + 1, w, kRow - 3);
    });
    const last = this.source.items;
    for (let i = last > 0 ? this.first(this.places.address(this.axis.from)) : 0; i < last; ++i) {
      const from = this.places.offset(this.source.start(i));
      if (from >= this.axis.to) break;
      context.fillStyle = this.source.colour(i, colours);
      // A gap of half a pixel tells neighbours apart where there is room.
      strip(from, from + this.source.size(i), (x, y, w) => context.fillRect(x, y + 1, w > 4 ? w - 1 : Math.max(w, 0.5), kRow - 3));
    }
    this.borders(context, colours, strip);
    context.lineWidth = 2;
    for (const [start, size] of this.outlined) this.outline(context, strip, start, size, colours.accent);
    if (this.selected >= 0)
      this.outline(context, strip, this.source.start(this.selected), this.source.size(this.selected), colours.ink);
    context.fillStyle = colours.faint;
    context.font = '11px ui-monospace, monospace';
    context.textBaseline = 'middle';
    for (let r = 0; r < kRows; ++r)
      if (this.axis.from + r * row < this.places.whole)
        context.fillText(addressText(Math.floor(this.places.address(this.axis.from + r * row))), 0, r * kRow + kRow / 2 - 1);
  }

  // Where addresses are left out, unless these would be all that is seen.
  borders(context, colours, strip) {
    const pixel = this.axis.span / kRows / (this.board.width - kGutter);
    if (this.places.ranges.length > this.axis.span / pixel / 6) return;
    context.fillStyle = colours.ink;
    for (const offset of this.places.offsets.slice(1)) strip(offset, offset + 1.5 * pixel, (x, y, w) => context.fillRect(x - 1, y - 1, w, kRow));
  }
  outline(context, strip, start, size, colour) {
    context.strokeStyle = colour;
    const from = this.places.offset(start);
    strip(from, from + size, (x, y, w) => context.strokeRect(x, y + 1, Math.max(2, w - 1), kRow - 3));
  }
}
