// What the address map shows of a trace: the blocks that are live at the chosen instant.

class LiveBlocks {
  constructor(trace, instant) {
    this.trace = trace;
    this.instant = instant;
    this.live = trace.liveAfter(instant);
    this.items = this.live.length;
  }
  start(i) { return this.trace.address[this.live[i]]; }
  size(i) { return this.trace.size[this.live[i]]; }
  colour(i, colours) { return colours.group(this.trace.group[this.live[i]]); }

  text(i) {
    const trace = this.trace, block = this.live[i], start = trace.start[block];
    let text = `block ${countText(block)}: ${bytesText(trace.size[block])} at ${addressText(trace.address[block])}, ` +
      `stream ${trace.about.streams[trace.stream[block]]}, age ${countText(this.instant - start)} events`;
    if (trace.time) text += `, ${timeText(trace.time[this.instant] - trace.time[start])}`;
    if (trace.stack && trace.stack[block]) text += `, ${trace.frameText(trace.site(trace.about.stacks[trace.stack[block]]))}`;
    return text;
  }
  hole(from, to) {
    return `no block at that instant: ${bytesText(to - from)} from ${addressText(from)} to ${addressText(to)}`;
  }

  picked(i) {
    const trace = this.trace, block = this.live[i], end = trace.end[block];
    const made = element('div', {className: 'details'}, element('p', {}, this.text(i)));
    let life = `allocated by event ${countText(trace.start[block])}, `;
    life += end === trace.events ? 'never freed' : `freed by event ${countText(end)}`;
    if (trace.time && end < trace.events) life += ` after ${timeText(trace.time[end] - trace.time[trace.start[block]])}`;
    made.append(element('p', {}, life));
    if (trace.stack && trace.stack[block]) {
      const list = element('ol');
      for (const frame of trace.about.stacks[trace.stack[block]]) list.append(element('li', {}, trace.frameText(frame)));
      made.append(list);
    }
    return made;
  }

  // In words: how the free part of the addresses is cut.
  summary(ranges) {
    let held = 0, holes = 0, largest = 0, i = 0;
    for (const [start, end] of ranges) {
      let at = start;
      const hole = to => {
        if (to <= at) return;
        ++holes;
        largest = Math.max(largest, to - at);
      };
      for (; i < this.items && this.start(i) < end; ++i) {
        hole(this.start(i));
        at = Math.max(at, this.start(i) + this.size(i));
        held += this.size(i);
      }
      hole(end);
    }
    return `${countText(this.items)} blocks, ${bytesText(held)}; ${countText(holes)} ${holes === 1 ? 'hole' : 'holes'}, the largest ${bytesText(largest)}`;
  }
}
