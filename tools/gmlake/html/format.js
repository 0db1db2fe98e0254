// Figures as people read them, and elements made of text: nothing of the input is ever parsed as HTML.
'use strict';

function bytesText(n) {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB', 'EiB'];
  let unit = 0;
  while (n >= 1024 && unit < units.length - 1) {
    n /= 1024;
    ++unit;
  }
  return (unit === 0 ? String(n) : n.toPrecision(4)) + ' ' + units[unit];
}

function countText(n) {
  return Number(n).toLocaleString('en-US');
}

function timeText(microseconds) {
  const n = Math.abs(microseconds);
  if (n >= 1e6) return (microseconds / 1e6).toFixed(3) + ' s';
  if (n >= 1e3) return (microseconds / 1e3).toFixed(3) + ' ms';
  return Math.round(microseconds) + ' \u00b5s';
}

function addressText(address) {
  return '0x' + address.toString(16);
}

// A figure with its unit, as the tables have them.
function figureText(value, unit) {
  if (typeof value !== 'number') return String(value);
  if (unit === 'bytes') return bytesText(value);
  if (unit === 'microseconds') return timeText(value);
  return countText(value);
}

// element('p', {className: 'hint'}, 'text', otherElement)
function element(tag, properties, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties || {}))
    if (name.includes('-') || name === 'role' || name === 'for') made.setAttribute(name, value);
    else made[name] = value;
  made.append(...children);
  return made;
}

// A panel with a heading and, beside it, what changes its picture.
function panel(id, title, ...controls) {
  const made = element('section', {id, 'aria-label': title}, element('div', {className: 'head'}, element('h2', {}, title), ...controls));
  return made;
}

// A list of choices with its name.
function choice(label, options, changed) {
  const select = element('select', {'aria-label': label});
  for (const [value, text] of options) select.append(element('option', {value}, text));
  select.addEventListener('change', () => changed(select.value));
  return select;
}

// Colours by name as the style sheet has them; read once for each drawing, as the scheme may change.
function palette() {
  const style = getComputedStyle(document.documentElement);
  const colour = name => style.getPropertyValue('--' + name).trim();
  return {
    group: index => colour('c' + index), panel: colour('panel'), ink: colour('ink'), faint: colour('faint'),
    line: colour('line'), hole: colour('hole'), accent: colour('accent'), focus: colour('focus'), physical: colour('physical'),
  };
}

function legend(entries) {
  const made = element('div', {className: 'legend'});
  const colours = palette();
  for (const [index, text] of entries) {
    const swatch = element('i');
    swatch.style.background = typeof index === 'number' ? colours.group(index) : colours[index];
    made.append(element('span', {}, swatch, text));
  }
  return made;
}
