// A trace in memory: events, blocks, live bytes after each event, and who holds them.
//
// Events are looked at in chunks where many fall on one pixel: of each chunk its lowest and highest moment is known, and
// what each group held at the highest. So drawing costs what is on the screen, not what is in the file.

const kChunk = 256;
const kMostGroups = 8;  // and one for all others

class Trace {
  constructor(about, column) {
    this.about = about;
    const n = this.events = about.events;
    const blocks = this.blocks = about.blocks;
    this.time = about.timed ? summed(column('time')) : null;
    this.size = column('size');
    this.address = unfolded(column('address'));
    this.stream = Uint16Array.from(column('stream'));
    this.stack = about.stacks.length > 1 ? Uint32Array.from(column('stack')) : null;
    this.start = new Int32Array(blocks);
    this.end = new Int32Array(blocks).fill(n);
    this.change = new Int32Array(n);  // the block that comes; that goes as ~block
    this.live = new Float64Array(n);
    const what = column('what');
    let next = 0, live = 0;
    this.peak = 0;
    for (let i = 0; i < n; ++i) {
      if (what[i] === 0) {
        this.start[next] = i;
        live += this.size[next];
        this.change[i] = next++;
      } else {
        const block = next - what[i];
        this.end[block] = i;
        live -= this.size[block];
        this.change[i] = ~block;
      }
      this.live[i] = live;
      if (live > this.live[this.peak]) this.peak = i;
    }
    this.levelEvent = summed(column('level_event'));
    this.level = column('level_bytes');
    this.groupBy('stream');
  }

  // The call that asked: the innermost Python one, else the innermost.
  site(frames) {
    const python = frames.find(frame => this.about.frames[frame][1].endsWith('.py'));
    return python === undefined ? frames[0] : python;
  }
  frameText(frame) {
    const [name, file, line] = this.about.frames[frame];
    return `${name} (${file}:${line})`;
  }

  // Of each block what it is grouped by: a number, and the numbers' names.
  keys(kind) {
    if (kind === 'site' && this.stack) {
      const known = new Map(), names = [];
      const of = this.about.stacks.map(frames => {
        const frame = frames.length === 0 ? -1 : this.site(frames);
        if (!known.has(frame)) {
          known.set(frame, names.length);
          names.push(frame < 0 ? 'no stack' : this.frameText(frame));
        }
        return known.get(frame);
      });
      return {names, key: this.stack.map(stack => of[stack])};
    }
    if (kind === 'size') {
      const limits = [20, 21, 23, 25, 27, 29].map(bits => 2 ** bits);
      const key = new Uint8Array(this.blocks);
      for (let b = 0; b < this.blocks; ++b)
        while (key[b] < limits.length && this.size[b] > limits[key[b]]) ++key[b];
      return {names: limits.map(limit => 'up to ' + bytesText(limit)).concat('larger'), key};
    }
    return {names: this.about.streams.map(name => 'stream ' + name), key: this.stream};
  }

  // Those that ever held the most have a colour each.
  groupBy(kind) {
    const {names, key} = this.keys(kind);
    const held = new Float64Array(names.length), most = new Float64Array(names.length);
    for (let i = 0; i < this.events; ++i) {
      const change = this.change[i];
      const block = change < 0 ? ~change : change;
      const k = key[block];
      held[k] += change < 0 ? -this.size[block] : this.size[block];
      if (held[k] > most[k]) most[k] = held[k];
    }
    const ranked = names.map((_, k) => k).filter(k => most[k] > 0).sort((a, b) => most[b] - most[a]);
    if (ranked.length === 0) ranked.push(0);
    const place = new Uint8Array(names.length).fill(kMostGroups);
    ranked.slice(0, kMostGroups).forEach((k, g) => { place[k] = g; });
    this.groups = ranked.slice(0, kMostGroups).map(k => names[k]);
    if (ranked.length > kMostGroups) this.groups.push(`${ranked.length - kMostGroups} others`);
    this.grouped = kind;
    this.group = new Uint8Array(this.blocks);
    for (let b = 0; b < this.blocks; ++b) this.group[b] = place[key[b]];
    this.summarize();
  }

  summarize() {
    const g = this.groups.length, chunks = Math.ceil(this.events / kChunk);
    this.before = new Float64Array(chunks * g);  // what each group held before the chunk
    this.parts = new Float64Array(chunks * g);   // and at its highest
    this.high = new Int32Array(chunks);          // the events
    this.low = new Float64Array(chunks);
    const sums = new Float64Array(g);
    for (let c = 0; c < chunks; ++c) {
      this.before.set(sums, c * g);
      const last = Math.min(this.events, (c + 1) * kChunk);
      let high = -1, low = Infinity;
      for (let i = c * kChunk; i < last; ++i) {
        this.apply(i, sums);
        const live = this.live[i];
        if (live < low) low = live;
        if (high < 0 || live > this.live[high]) {
          high = i;
          this.parts.set(sums, c * g);
        }
      }
      this.high[c] = high;
      this.low[c] = low;
    }
  }

  apply(event, sums) {
    const change = this.change[event];
    const block = change < 0 ? ~change : change;
    sums[this.group[block]] += change < 0 ? -this.size[block] : this.size[block];
  }

  // What each group held after that event; before the first one it is -1.
  sumsAfter(event) {
    const g = this.groups.length, sums = new Float64Array(g);
    const c = Math.floor(Math.max(0, event) / kChunk);
    if (this.events > 0) sums.set(this.before.subarray(c * g, (c + 1) * g));
    for (let i = c * kChunk; i <= event; ++i) this.apply(i, sums);
    return sums;
  }

  // Where an event is on the axis, and the last event at or before a place there.
  place(event, timed) {
    return timed ? this.time[event] : event;
  }
  eventAt(x, timed) {
    if (!timed) return Math.min(this.events - 1, Math.floor(x));
    let low = 0, high = this.events;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.time[middle] <= x) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }
  extent(timed) {
    return timed ? [0, Math.max(1, this.time[this.events - 1])] : [0, Math.max(1, this.events - 1)];
  }

  // For each of `width` columns of the axis from a to b: the highest and lowest moment, and the groups' parts at the highest.
  columns(a, b, width, timed) {
    const g = this.groups.length;
    const high = new Float64Array(width), low = new Float64Array(width), parts = new Float64Array(width * g);
    let event = this.eventAt(a, timed);
    const sums = this.sumsAfter(event);
    for (let p = 0; p < width; ++p) {
      const last = this.eventAt(a + (b - a) * (p + 1) / width, timed);
      high[p] = low[p] = event < 0 ? 0 : this.live[event];
      parts.set(sums, p * g);
      while (event < last) {
        const next = event + 1;
        if (next % kChunk === 0 && next + kChunk - 1 <= last) {
          const c = next / kChunk;
          const top = this.live[this.high[c]];
          if (top > high[p]) {
            high[p] = top;
            parts.set(this.parts.subarray(c * g, (c + 1) * g), p * g);
          }
          if (this.low[c] < low[p]) low[p] = this.low[c];
          event = next + kChunk - 1;
          if ((c + 1) * g < this.before.length) sums.set(this.before.subarray((c + 1) * g, (c + 2) * g));
          else sums.set(this.sumsAfter(event));
          continue;
        }
        event = next;
        this.apply(event, sums);
        const live = this.live[event];
        if (live < low[p]) low[p] = live;
        if (live > high[p]) {
          high[p] = live;
          parts.set(sums, p * g);
        }
      }
    }
    return {high, low, parts};
  }

  // What the recorded allocator had taken from the device, after that event.
  reservedAfter(event) {
    let low = 0, high = this.levelEvent.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.levelEvent[middle] <= event) low = middle + 1;
      else high = middle;
    }
    return low === 0 ? null : this.level[low - 1];
  }

  // The blocks that are live after an event, by address.
  liveAfter(event) {
    const found = [];
    for (let b = 0; b < this.blocks; ++b)
      if (this.start[b] <= event && this.end[b] > event) found.push(b);
    const address = this.address;
    return Uint32Array.from(found).sort((x, y) => address[x] - address[y]);
  }
}
