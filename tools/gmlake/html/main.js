// Puts the panels of each document together. What tests and the curious may ask is in window.gmlake.

const views = {
  trace(about, state) {
    const trace = state.trace = new Trace(about, about.column);
    const map = state.map = new AddressMap(about.ranges, 'Address map',
      'Blocks that are live at the chosen instant, by address, coloured as above. At an upright mark addresses that were never used are left out.');
    if (trace.stack) state.flame = new Flame(new TraceStacks(trace));
    const words = element('p', {});
    map.panel.append(words);
    if (about.moved)
      map.panel.append(element('p', {}, 'In this log blocks that are live at once overlap, so its addresses are names only: ' +
        'here they are where a best-fit allocator would have put them.'));
    let due = false;
    const chosen = instant => {
      // Many choices of one frame, as while dragging, are one picture.
      state.instant = instant;
      if (due) return;
      due = true;
      requestAnimationFrame(() => {
        due = false;
        const blocks = new LiveBlocks(trace, state.instant);
        state.blocks = blocks.items;
        map.show(blocks);
        words.textContent = blocks.summary(about.ranges);
        map.legend.replaceChildren(legend(trace.groups.map((name, g) => [g, name])));
        if (state.flame) state.flame.show(state.instant);
        report();
      });
    };
    const line = state.timeline = new TimeLine(trace, chosen);
    chosen(trace.peak);
    const panels = [line.panel];
    if (about.failures.length > 0) panels.push(failuresPanel(about, line));
    panels.push(map.panel);
    if (state.flame) panels.push(state.flame.panel);
    return panels.concat(figuresPanel(about.figures, about.columns_of_figures));
  },
  oom(about, state) {
    state.map = shortageMap(about);
    return [shortagePanel(about), state.map.panel, ...holdersPanels(about, state), figuresPanel(about.figures, about.columns_of_figures)];
  },
  report(about, state) {
    const panels = about.series.length > 0 ? [historyPanel(about.series)] : [];
    return panels.concat(holdersPanels(about, state), figuresPanel(about.figures, about.columns_of_figures));
  },
};

function holdersPanels(about, state) {
  if (!about.who) return [];
  state.flame = new Flame(new HolderStacks(about.who));
  return [state.flame.panel];
}

// Of a snapshot: allocations that failed, and how things stood.
function failuresPanel(about, line) {
  const made = panel('failures', 'Out of memory');
  const list = element('div', {className: 'list'});
  for (const [event, bytes, free] of about.failures.slice(0, 100))
    list.append(element('button', {onclick: () => line.choose(event - 1)},
      `event ${countText(event)}: ${bytesText(bytes)} asked for, ${bytesText(free)} free on the device`));
  made.append(element('p', {className: 'hint'}, 'Choose one: the pictures show that moment.'), list);
  return made;
}

// Of a path its last part.
function shortName(about) {
  return about.name.slice(about.name.lastIndexOf('/') + 1) || about.name;
}

const shown = [];  // by document: its panels and state

function show(index) {
  const about = window.gmlake.documents[index];
  const made = shown[index] = shown[index] || (() => {
    const state = {};
    return {state, panels: views[about.kind](about, state)};
  })();
  window.gmlake.state = made.state;
  const heading = document.getElementById('name');
  heading.textContent = shortName(about);
  heading.title = about.name;
  document.title = shortName(about) + ' - gmlake';
  document.getElementById('subtitle').textContent = about.subtitle;
  document.getElementById('main').replaceChildren(...made.panels);
  for (const button of document.getElementById('documents').children)
    button.setAttribute('aria-pressed', String(Number(button.value) === index));
  document.documentElement.dataset.shown = index;
  report();
}

// For tests: what is seen now.
function report() {
  const {timeline, map, instant, blocks} = window.gmlake.state;
  const data = document.documentElement.dataset;
  if (instant !== undefined) data.instant = instant;
  if (blocks !== undefined) data.blocks = blocks;
  if (timeline) data.view = `${timeline.axis.from} ${timeline.axis.to}`;
  if (map) data.selected = map.selected;
}

unpack().then(about => {
  window.gmlake = {documents: about.documents, version: about.version, report};
  const nav = document.getElementById('documents');
  if (about.documents.length > 1)
    about.documents.forEach((one, i) => nav.append(element('button', {value: i, onclick: () => show(i)}, shortName(one))));
  show(0);
  // Once the first picture is there.
  requestAnimationFrame(() => requestAnimationFrame(() => {
    document.documentElement.dataset.opened = Math.round(performance.now());
  }));
}).catch(problem => {
  document.documentElement.dataset.failed = String(problem);
  document.getElementById('main').replaceChildren(element('p', {}, 'This page can not be shown: ' + problem));
});
