// The moment memory ran out: what was asked for, what was free, and into which pieces that was cut.

const kStates = ['absent', 'free', 'free, but work of the GPU may still use it', 'held', 'live', 'parked'];

class Regions {
  constructor(about) {
    // The file says of regions how far they are into the home range, and of blocks their addresses.
    this.home = about.memory.home;
    // Neither memory nor addresses of anybody's: not shown.
    this.regions = about.regions.filter(region => region[2] !== 0)
      .map(([start, ...rest]) => [start + this.home, ...rest]);
    this.windows = about.windows.map(([address, size, busy, pieces]) =>
      [address, size, busy, pieces.map(([start, length]) => [start + this.home, length])]);
    this.items = this.regions.length;
    this.homes = new Map(about.blocks.filter(block => !block[3]).map(block => [block[0], block]));
  }
  start(i) { return this.regions[i][0]; }
  size(i) { return this.regions[i][1]; }
  colour(i, colours) { return [colours.hole, colours.group(2), colours.group(4), colours.group(3), colours.group(0), colours.group(6)][this.regions[i][2]]; }
  ranges() {
    const ranges = [];
    for (const [start, size] of this.regions)
      if (ranges.length && ranges[ranges.length - 1][1] === start) ranges[ranges.length - 1][1] = start + size;
      else ranges.push([start, start + size]);
    return ranges.length ? ranges : [[0, 1]];
  }
  text(i) {
    const [start, size, state, small, timeline] = this.regions[i];
    let text = `${bytesText(size)} at ${addressText(start)}: ${kStates[state]}`;
    if (timeline >= 0) text += `, last used on timeline ${timeline}`;
    if (small) text += ', for small blocks';
    const block = this.homes.get(start);
    if (block) text += `; block of ${bytesText(block[1])}`;
    const seen = this.windowsOf(start, size);
    if (seen.length === 1) text += `; part of the stitched window at ${addressText(this.windows[seen[0]][0])}`;
    if (seen.length > 1) text += `; part of ${seen.length} stitched windows`;
    return text;
  }
  windowsOf(start, size) {
    const found = [];
    this.windows.forEach(([, , , pieces], w) => {
      if (pieces.some(([at, length]) => at < start + size && at + length > start)) found.push(w);
    });
    return found;
  }
  hole(from, to) { return `no memory: ${addressText(from)} to ${addressText(to)}`; }
  picked(i) { return element('div', {className: 'details'}, this.text(i)); }
}

// Two bars of one scale (what there is, what was asked for), and the free pieces by size.
function drawShortage(about, context, width) {
  const colours = palette(), memory = about.memory;
  const waiting = about.regions.filter(region => region[2] === 2).reduce((sum, region) => sum + region[1], 0);
  const parts = [
    [colours.group(0), Math.max(0, memory.physical - memory.free), 'in use'],
    [colours.group(2), Math.max(0, memory.free - waiting), 'free'],
    [colours.group(4), Math.min(memory.free, waiting), 'free, work pending'],
    [colours.group(8), Math.min(memory.limit_left, memory.device_free), 'still on the device'],
  ];
  const whole = Math.max(1, about.request.bytes, parts.reduce((sum, part) => sum + part[1], 0));
  const wide = bytes => bytes / whole * width;
  context.textBaseline = 'middle';
  const label = (text, x, y, room) => {
    context.fillStyle = colours.ink;
    context.fillText(fitted(context, text, room - 8), x + 4, y);
  };
  let x = 0;
  for (const [colour, bytes, name] of parts) {
    context.globalAlpha = 0.75;
    context.fillStyle = colour;
    context.fillRect(x, 0, Math.max(0, wide(bytes) - 1), 26);
    context.globalAlpha = 1;
    if (wide(bytes) > 30) label(`${name} ${bytesText(bytes)}`, x, 13, wide(bytes));
    x += wide(bytes);
  }
  context.globalAlpha = 0.75;
  context.fillStyle = colours.accent;
  const asked = Math.max(2, wide(about.request.bytes));
  context.fillRect(0, 32, asked, 26);
  context.globalAlpha = 1;
  const text = `asked for ${bytesText(about.request.bytes)}` + (about.request.missing > 0 ? `, ${bytesText(about.request.missing)} missing` : '');
  if (context.measureText(text).width < asked - 8) label(text, 0, 45, asked);
  else label(text, asked, 45, width - asked);
  drawPieces(about, context, colours, width, 66, 120);
}

function drawPieces(about, context, colours, width, top, height) {
  const pieces = about.regions.filter(region => region[2] === 1 || region[2] === 2).sort((a, b) => b[1] - a[1]);
  const left = 74, most = Math.max(1, about.request.bytes, pieces.length ? pieces[0][1] : 0) * 1.1;
  const y = bytes => top + height - bytes / most * height;
  context.fillStyle = colours.hole;
  context.fillRect(left, top, width - left, height);
  const each = Math.min(40, (width - left) / Math.max(1, pieces.length));
  pieces.forEach((piece, i) => {
    context.fillStyle = piece[2] === 1 ? colours.group(2) : colours.group(4);
    context.fillRect(left + i * each, y(piece[1]), Math.max(0.5, each > 3 ? each - 1 : each), Math.max(1, top + height - y(piece[1])));
  });
  context.fillStyle = colours.accent;
  context.fillRect(left, y(about.request.bytes), width - left, 1.5);
  context.fillStyle = colours.faint;
  context.textAlign = 'right';
  for (const at of ticks(0, most, 4, true)) if (at > 0) context.fillText(bytesText(at), left - 6, y(at));
  context.textAlign = 'left';
  context.textBaseline = 'top';
  context.fillText(`${countText(pieces.length)} free pieces by size; the line is the request`, left, top + height + 5);
}

function shortagePanel(about) {
  const memory = about.memory;
  const made = panel('shortage', 'Out of memory');
  const board = new Board(206, 'What was asked for, what there was, and the free pieces by size', (context, width) => drawShortage(about, context, width));
  board.canvas.setAttribute('role', 'img');
  const figure = (bytes, text) => element('div', {}, element('b', {}, bytesText(bytes)), element('span', {}, text));
  made.append(
    element('div', {className: 'big'}, figure(about.request.bytes, 'asked for'), figure(memory.free, 'free in the pool'),
      figure(memory.largest_span, 'largest piece of it'), figure(memory.device_free, 'free on the device'), figure(about.request.missing, 'missing')),
    element('p', {}, about.explanation), board.canvas,
    legend([[0, 'in use'], [2, 'free'], [4, 'free, but work of the GPU may still use it'], [8, 'still on the device'], ['accent', 'asked for']]));
  if (about.timelines.length > 0) {
    const list = about.timelines.filter(([, , pending]) => pending > 0).sort((a, b) => b[2] - a[2]).slice(0, 20)
      .map(([timeline, kind, pending]) => `timeline ${timeline} (${kind}) ${bytesText(pending)}`);
    if (list.length) made.append(element('p', {}, 'Waiting for work of the GPU: ' + list.join(', ')));
  }
  board.later();
  return made;
}

// The map of the home range; a window that is chosen shows which pieces of home it is made of.
function shortageMap(about) {
  const regions = new Regions(about);
  const map = new AddressMap(regions.ranges(), 'Address map',
    'The pool\u2019s home range. A stitched window below shows its pieces.');
  map.show(regions);
  map.legend.append(legend([[0, 'live'], [6, 'parked'], [3, 'held'], [2, 'free'], [4, 'free, work pending'], ['accent', 'pieces of the chosen window']]));
  const list = element('div', {className: 'list', role: 'group', 'aria-label': 'Stitched windows'});
  const most = 300;
  [...regions.windows].sort((a, b) => b[1] - a[1]).slice(0, most).forEach(([address, size, busy, pieces]) => {
    const button = element('button', {'aria-pressed': 'false', title: addressText(address)},
      `${bytesText(size)} in ${pieces.length} piece${pieces.length === 1 ? '' : 's'}${busy ? ', in use' : ''}`);
    button.addEventListener('click', () => {
      const chosen = button.getAttribute('aria-pressed') !== 'true';
      for (const other of list.children) other.setAttribute('aria-pressed', 'false');
      button.setAttribute('aria-pressed', String(chosen));
      map.outlined = chosen ? pieces : [];
      map.status.textContent = chosen ? `window at ${addressText(address)}: ${bytesText(size)} of ${pieces.map(piece => bytesText(piece[1])).join(' + ')}` : '';
      map.board.later();
    });
    list.append(button);
  });
  if (about.windows.length > 0)
    map.panel.append(element('p', {}, `${countText(about.windows.length)} stitched window${about.windows.length === 1 ? '' : 's'}` +
      (about.windows.length > most ? `, the ${most} largest:` : ':')), list);
  return map;
}
