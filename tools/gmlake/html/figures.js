// Tables of figures, and the last minutes of a process that still runs.

function figuresPanel(figures, columns) {
  const body = element('tbody');
  const box = element('input', {type: 'checkbox', id: 'zeros'});
  const fill = () => {
    body.replaceChildren();
    for (const [name, unit, help, values] of figures) {
      if (!box.checked && values.every(value => value === 0)) continue;
      const row = element('tr', {}, element('td', {}, name));
      for (const value of values) row.append(element('td', {className: 'figure', title: countText(value)}, figureText(value, unit)));
      row.append(element('td', {className: 'help'}, help));
      body.append(row);
    }
  };
  box.addEventListener('change', fill);
  fill();
  const heads = element('tr', {}, element('th', {}, 'figure'));
  for (const column of columns) heads.append(element('th', {className: 'figure'}, column));
  heads.append(element('th', {}, 'what it counts'));
  const zeros = figures.some(figure => figure[3].every(value => value === 0)) ? [element('label', {}, box, ' zeros too')] : [];
  const made = panel('figures', 'Figures', ...zeros);
  made.append(element('div', {className: 'wide', tabIndex: 0, role: 'region', 'aria-label': 'Figures'},
    element('table', {}, element('thead', {}, heads), body)));
  return made;
}

// Live and physical memory at the moments that a process noted them.
function historyPanel(series) {
  const made = panel('history', 'The last minutes');
  for (const {device, seconds, live, physical} of series) {
    const status = element('output', {});
    const x = (i, width) => kLeft + (seconds[i] - seconds[0]) / Math.max(1e-9, seconds[seconds.length - 1] - seconds[0]) * (width - kLeft - 8);
    const board = new Board(180, `Memory of device ${device} over the last minutes`, (context, width, height) => {
      const colours = palette(), bottom = height - kBottom;
      const top = Math.max(1, ...physical, ...live) * 1.08, y = bytes => bottom - bytes / top * bottom;
      context.fillStyle = colours.hole;
      context.fillRect(kLeft, 0, width - kLeft, bottom);
      const trail = values => {
        context.beginPath();
        values.forEach((value, i) => context.lineTo(x(i, width), y(value)));
      };
      trail(live);
      context.lineTo(x(live.length - 1, width), bottom);
      context.lineTo(kLeft, bottom);
      context.fillStyle = colours.group(0);
      context.fill();
      trail(physical);
      context.strokeStyle = colours.physical;
      context.lineWidth = 1.5;
      context.stroke();
      context.fillStyle = colours.faint;
      context.textAlign = 'right';
      context.textBaseline = 'middle';
      for (const at of ticks(0, top, 4, true)) if (at > 0) context.fillText(bytesText(at), kLeft - 6, Math.max(8, y(at)));
      context.textBaseline = 'top';
      context.fillText(seconds[seconds.length - 1].toFixed(0) + ' s', width - 2, bottom + 6);
      context.textAlign = 'left';
      context.fillText(seconds[0].toFixed(0) + ' s', kLeft, bottom + 6);
    });
    board.canvas.addEventListener('pointermove', event => {
      const at = board.at(event).x;
      let best = 0;
      seconds.forEach((_, i) => { if (Math.abs(x(i, board.width) - at) < Math.abs(x(best, board.width) - at)) best = i; });
      status.textContent = `${seconds[best].toFixed(1)} s: live ${bytesText(live[best])}, physical ${bytesText(physical[best])}`;
    });
    made.append(element('p', {className: 'hint'}, `device ${device}`), board.canvas, legend([[0, 'live'], ['physical', 'physical']]), status);
    board.later();
  }
  return made;
}
