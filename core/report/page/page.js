// Draws the figures of a page from its data: curves with spread, maps of values, images. Nothing is loaded from elsewhere.
"use strict";
const data = JSON.parse(document.getElementById("data").textContent);
const svgns = "http://www.w3.org/2000/svg";
let touched = 0;

function element(parent, name, attributes = {}, text) {
  const made = name.startsWith("svg:") ? document.createElementNS(svgns, name.slice(4)) : document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text !== undefined) made.textContent = text;
  parent.appendChild(made);
  return made;
}
const finite = (v) => v !== null && v !== undefined && Number.isFinite(v);
const shown = (v) => !finite(v) ? "not finite" : v === 0 ? "0" : Math.abs(v) >= 1e5 || Math.abs(v) < 1e-3 ? v.toExponential(2) : String(+v.toPrecision(4));
const colour = (index) => `var(--c${index % 10})`;

// About `count` round numbers between low and high; of a log axis, powers of ten, with 2 and 5 where there are few.
function ticks(low, high, count, log) {
  if (log) {
    const result = [], decades = Math.log10(high / low);
    const step = Math.max(1, Math.ceil(decades / count));
    for (let e = Math.floor(Math.log10(low)); e <= Math.ceil(Math.log10(high)); e += step)
      for (const f of decades < 2 ? [1, 2, 5] : [1]) {
        const v = f * 10 ** e;
        if (v >= low * 0.999 && v <= high * 1.001) result.push(v);
      }
    return result;
  }
  const raw = (high - low) / count, power = 10 ** Math.floor(Math.log10(raw)), ratio = raw / power;
  const step = power * (ratio < 1.5 ? 1 : ratio < 3.5 ? 2 : ratio < 7.5 ? 5 : 10), result = [];
  for (let v = Math.ceil(low / step) * step; v <= high + step * 1e-9; v += step) result.push(Math.abs(v) < step * 1e-6 ? 0 : v);
  return result;
}

class Chart {
  constructor(figure, chart) {
    this.chart = chart;
    this.hidden = new Set(chart.curves.flatMap((c, i) => c.hidden ? [i] : []));
    this.log = !!chart.log;
    const xs = chart.curves.flatMap((c) => [c.x[0], c.x[c.x.length - 1]]).filter(finite);
    this.whole = [Math.min(...xs), Math.max(...xs)];
    if (this.whole[0] === this.whole[1]) this.whole[1] += 1;
    this.range = [...this.whole];
    element(figure, "figcaption", {}, chart.title);
    if (chart.note) element(figure, "div", {class: "quiet"}, chart.note);
    this.plot = element(figure, "div", {class: "plot", tabindex: "0", role: "group",
      style: "min-height:240px",
      "aria-label": `${chart.title}. Left and right move along ${chart.x}, plus and minus zoom, 0 shows all.`});
    this.live = element(figure, "div", {class: "quiet", "aria-live": "polite", style: "position:absolute;left:-9999px"});
    const keys = element(figure, "div", {class: "keys"});
    chart.curves.forEach((curve, i) => {
      const key = element(keys, "button", {class: "key", type: "button", "aria-pressed": String(!this.hidden.has(i))});
      element(key, "i", {style: `background:${colour(i)}`});
      key.append(curve.label);
      key.onclick = () => {
        if (!this.hidden.delete(i)) this.hidden.add(i);
        key.setAttribute("aria-pressed", String(!this.hidden.has(i)));
        this.draw();
      };
    });
    const tools = element(figure, "div", {class: "keys tools"});
    const scale = element(tools, "button", {type: "button", "aria-pressed": String(this.log)}, "log scale");
    scale.onclick = () => { this.log = !this.log; scale.setAttribute("aria-pressed", String(this.log)); this.draw(); };
    element(tools, "button", {type: "button"}, "show all").onclick = () => this.zoom(...this.whole);
    element(tools, "span", {class: "quiet"}, "drag to zoom; arrows, + − 0 by keyboard");
    this.listen();
    let width = 0;
    new ResizeObserver(() => requestAnimationFrame(() => {
      if (this.plot.clientWidth !== width) { width = this.plot.clientWidth; this.draw(); }
    })).observe(this.plot);
    this.draw();
  }

  zoom(from, to) {
    const least = (this.whole[1] - this.whole[0]) / 5000;
    this.range = [Math.max(this.whole[0], from), Math.min(this.whole[1], Math.max(to, from + least))];
    this.draw();
  }

  listen() {
    const at = (event) => this.valueAt(event.clientX - this.plot.getBoundingClientRect().left);
    let start = null;
    this.plot.onpointermove = (e) => { if (start === null) this.point(at(e)); else this.pick(start, at(e)); };
    this.plot.onpointerleave = () => { if (start === null) this.forget(); };
    this.plot.onpointerdown = (e) => { touched = Date.now(); if (e.pointerType === "mouse") { start = at(e); this.plot.setPointerCapture(e.pointerId); } this.point(at(e)); };
    this.plot.onpointerup = (e) => {
      const end = at(e);
      if (start !== null && Math.abs(end - start) > (this.range[1] - this.range[0]) / 100) this.zoom(Math.min(start, end), Math.max(start, end));
      start = null;
    };
    this.plot.ondblclick = () => this.zoom(...this.whole);
    this.plot.onblur = () => this.forget();
    this.plot.onkeydown = (e) => {
      const width = this.range[1] - this.range[0], now = this.at ?? this.range[0];
      const step = width / (e.shiftKey ? 10 : 100);
      const actions = {
        ArrowLeft: () => this.point(now - step, true), ArrowRight: () => this.point(now + step, true),
        Home: () => this.point(this.range[0], true), End: () => this.point(this.range[1], true),
        "+": () => this.zoom(now - width / 4, now + width / 4), "=": () => this.zoom(now - width / 4, now + width / 4),
        "-": () => this.zoom(now - width, now + width), "0": () => this.zoom(...this.whole), Escape: () => this.zoom(...this.whole),
      };
      if (!actions[e.key]) return;
      touched = Date.now();
      actions[e.key]();
      e.preventDefault();
    };
  }

  valueAt(pixel) {
    const {left, right} = this.frame;
    const share = Math.min(1, Math.max(0, (pixel - left) / (right - left)));
    return this.range[0] + share * (this.range[1] - this.range[0]);
  }

  limits() {
    let low = Infinity, high = -Infinity;
    this.chart.curves.forEach((c, i) => {
      if (this.hidden.has(i)) return;
      for (const values of [c.smooth ?? c.y, c.low, c.high]) (values ?? []).forEach((v, k) => {
        if (!finite(v) || c.x[k] < this.range[0] || c.x[k] > this.range[1] || (this.log && v <= 0)) return;
        low = Math.min(low, v); high = Math.max(high, v);
      });
    });
    if (low > high) return this.log ? [0.1, 1] : [0, 1];
    // What diverges does not press all else flat.
    const first = Math.max(...this.chart.curves.map((c) => c.y.find(finite)).filter(finite));
    if (!this.log && this.chart.falls && high > 2 * first && first > 0) high = 2 * first;
    if (low === high) { low -= Math.abs(low) * 0.1 + 1e-9; high += Math.abs(high) * 0.1 + 1e-9; }
    if (this.log) return [low / 1.05, high * 1.05];
    const margin = (high - low) * 0.04;
    return [low - margin, high + margin];
  }

  draw() {
    const width = Math.max(260, this.plot.clientWidth), height = width < 520 ? 240 : 320;
    const frame = this.frame = {left: 58, right: width - 12, top: 10, bottom: height - 42};
    this.plot.replaceChildren();
    const svg = this.svg = element(this.plot, "svg:svg", {viewBox: `0 0 ${width} ${height}`, height, "aria-hidden": "true"});
    const [low, high] = this.limits();
    const f = this.log ? Math.log : (v) => v;
    this.x = (v) => frame.left + (v - this.range[0]) / (this.range[1] - this.range[0]) * (frame.right - frame.left);
    this.y = (v) => Math.min(frame.bottom, Math.max(frame.top - 4, frame.bottom - (f(Math.max(v, this.log ? low : -Infinity)) - f(low)) / (f(high) - f(low)) * (frame.bottom - frame.top)));
    for (const v of ticks(low, high, 6, this.log)) {
      element(svg, "svg:line", {class: "grid", x1: frame.left, x2: frame.right, y1: this.y(v), y2: this.y(v)});
      element(svg, "svg:text", {x: frame.left - 6, y: this.y(v) + 4, "text-anchor": "end"}, shown(v));
    }
    for (const v of ticks(...this.range, width < 520 ? 4 : 8, false))
      element(svg, "svg:text", {x: this.x(v), y: frame.bottom + 16, "text-anchor": "middle"}, shown(v));
    element(svg, "svg:text", {x: (frame.left + frame.right) / 2, y: height - 6, "text-anchor": "middle"}, this.chart.x);
    element(svg, "svg:text", {transform: `translate(11 ${(frame.top + frame.bottom) / 2}) rotate(-90)`, "text-anchor": "middle"}, this.chart.y);
    this.chart.curves.forEach((curve, i) => { if (!this.hidden.has(i)) this.drawCurve(svg, curve, colour(i)); });
    for (const mark of this.chart.marks ?? []) if (mark.x >= this.range[0] && mark.x <= this.range[1]) {
      element(svg, "svg:circle", {cx: this.x(mark.x), cy: this.y(mark.y), r: 5, fill: "none", stroke: "var(--ink)", "stroke-width": 2});
      element(svg, "svg:text", {x: Math.min(this.x(mark.x) + 8, frame.right - 60), y: this.y(mark.y) - 8}, mark.label);
    }
    if (this.at !== undefined) this.point(this.at);
  }

  drawCurve(svg, curve, stroke) {
    let from = 0, to = curve.x.length;
    while (from + 1 < to && curve.x[from + 1] < this.range[0]) ++from;
    while (to - 2 > from && curve.x[to - 2] > this.range[1]) --to;
    const inside = (v) => Math.min(this.frame.right, Math.max(this.frame.left, this.x(v)));
    const path = (values) => {
      let text = "", pen = "M";
      for (let i = from; i < to; ++i) {
        if (!finite(values[i])) { pen = "M"; continue; }
        text += `${pen}${inside(curve.x[i]).toFixed(1)} ${this.y(values[i]).toFixed(1)}`;
        pen = "L";
      }
      return text;
    };
    if (curve.low) {
      let text = "";
      for (let i = from; i < to; ++i) if (finite(curve.high[i])) text += `${text ? "L" : "M"}${inside(curve.x[i]).toFixed(1)} ${this.y(curve.high[i]).toFixed(1)}`;
      for (let i = to - 1; i >= from; --i) if (finite(curve.low[i])) text += `L${inside(curve.x[i]).toFixed(1)} ${this.y(curve.low[i]).toFixed(1)}`;
      if (text) element(svg, "svg:path", {d: text + "Z", fill: stroke, opacity: 0.15});
    }
    const bold = curve.smooth ?? curve.y;
    if (curve.smooth) element(svg, "svg:path", {d: path(curve.y), fill: "none", stroke, "stroke-width": 1, opacity: 0.3});
    element(svg, "svg:path", {class: "curve", d: path(bold), fill: "none", stroke, "stroke-width": 2});
    if (to - from < 3) for (let i = from; i < to; ++i) if (finite(bold[i])) element(svg, "svg:circle", {cx: inside(curve.x[i]), cy: this.y(bold[i]), r: 3, fill: stroke});
  }

  forget() { this.at = undefined; this.tip?.remove(); this.line?.remove(); this.band?.remove(); }

  pick(from, to) {
    this.band?.remove();
    const [a, b] = [this.x(Math.min(from, to)), this.x(Math.max(from, to))];
    this.band = element(this.svg, "svg:rect", {class: "picked", x: a, width: b - a, y: this.frame.top, height: this.frame.bottom - this.frame.top});
  }

  point(value, speak = false) {
    this.forget();
    this.at = Math.min(this.range[1], Math.max(this.range[0], value));
    const x = this.x(this.at);
    this.line = element(this.svg, "svg:line", {class: "cursor", x1: x, x2: x, y1: this.frame.top, y2: this.frame.bottom});
    this.tip = element(this.plot, "div", {class: "tip"});
    const rows = [];
    this.chart.curves.forEach((curve, i) => {
      if (this.hidden.has(i) || curve.x.length === 0) return;
      let k = nearest(curve.x, this.at);
      if (rows.length === 0) rows.push(`${this.chart.x} ${shown(curve.x[k])}`);
      rows.push([i, `${curve.label}: ${shown((curve.smooth ?? curve.y)[k])}` + (curve.low ? ` (${shown(curve.low[k])} to ${shown(curve.high[k])})` : "")]);
    });
    for (const row of rows) {
      const line = element(this.tip, "div");
      if (Array.isArray(row)) element(line, "i", {style: `background:${colour(row[0])}`});
      line.append(Array.isArray(row) ? row[1] : row);
    }
    const space = this.plot.clientWidth - this.tip.offsetWidth;
    this.tip.style.left = `${Math.max(0, Math.min(space, x + 14 < space ? x + 14 : x - this.tip.offsetWidth - 14))}px`;
    this.tip.style.top = `${this.frame.top}px`;
    if (speak) this.live.textContent = rows.map((r) => Array.isArray(r) ? r[1] : r).join(", ");
  }
}

// The index of the value in a rising list that is nearest.
function nearest(list, value) {
  let low = 0, high = list.length - 1;
  while (high - low > 1) { const middle = (low + high) >> 1; if (list[middle] < value) low = middle; else high = middle; }
  return Math.abs(list[low] - value) <= Math.abs(list[high] - value) ? low : high;
}

// A square of values, blue below 0 and red above; rows are momenta, columns gradients.
function drawMap(parent, map, axis) {
  const box = element(parent, "div", {class: "map"}), n = axis.length;
  element(box, "div", {}, map.label);
  const canvas = element(box, "canvas", {width: n, height: n, tabindex: "0", role: "img",
    "aria-label": `${map.label}: the step by gradient (across) and momentum (upwards); arrows move, the value is spoken`});
  const note = element(box, "div", {class: "quiet", "aria-live": "polite"}, `largest ${shown(map.largest)}`);
  const context = canvas.getContext("2d"), image = context.createImageData(n, n);
  for (let row = 0; row < n; ++row) for (let column = 0; column < n; ++column) {
    const v = map.values[(n - 1 - row) * n + column], s = finite(v) ? Math.max(-1, Math.min(1, v / (map.largest || 1))) : 0;
    const strength = Math.sqrt(Math.abs(s)), base = [247, 247, 247], end = s < 0 ? [33, 102, 172] : [178, 24, 43];
    for (let k = 0; k < 3; ++k) image.data[4 * (row * n + column) + k] = base[k] + (end[k] - base[k]) * strength;
    image.data[4 * (row * n + column) + 3] = 255;
  }
  context.putImageData(image, 0, 0);
  let row = n >> 1, column = n >> 1;
  const say = () => { note.textContent = `g ${shown(axis[column])}, m ${shown(axis[n - 1 - row])}: ${shown(map.values[(n - 1 - row) * n + column])}`; };
  canvas.onpointermove = (e) => {
    const r = canvas.getBoundingClientRect();
    column = Math.min(n - 1, Math.max(0, Math.floor((e.clientX - r.left) / r.width * n)));
    row = Math.min(n - 1, Math.max(0, Math.floor((e.clientY - r.top) / r.height * n)));
    say();
  };
  canvas.onpointerleave = () => { note.textContent = `largest ${shown(map.largest)}`; };
  canvas.onkeydown = (e) => {
    const move = {ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0]}[e.key];
    if (!move) return;
    row = Math.min(n - 1, Math.max(0, row + move[0]));
    column = Math.min(n - 1, Math.max(0, column + move[1]));
    say();
    e.preventDefault();
  };
}

function drawImages(parent, images) {
  const bytes = Uint8Array.from(atob(images.pixels), (c) => c.charCodeAt(0)), size = images.side * images.side;
  images.labels.forEach((label, i) => {
    const box = element(parent, "div"), canvas = element(box, "canvas", {width: images.side, height: images.side, role: "img", "aria-label": `an image of class ${label}`});
    const context = canvas.getContext("2d"), picture = context.createImageData(images.side, images.side);
    for (let k = 0; k < size; ++k) { picture.data.fill(bytes[i * size + k], 4 * k, 4 * k + 3); picture.data[4 * k + 3] = 255; }
    context.putImageData(picture, 0, 0);
    box.append(label);
  });
}

for (const figure of document.querySelectorAll("figure[data-chart]")) new Chart(figure, data.charts[figure.dataset.chart]);
for (const place of document.querySelectorAll("[data-maps]")) {
  const maps = data.maps[place.dataset.maps];
  for (const map of maps.maps) drawMap(place, map, maps.axis);
}
for (const place of document.querySelectorAll("[data-images]")) drawImages(place, data.images[place.dataset.images]);
addEventListener("beforeprint", () => { for (const d of document.querySelectorAll("details")) d.open = true; });
// While a run goes on, its page is looked at anew, unless somebody is at work on it.
if (data.running) setInterval(() => { if (Date.now() - touched > 30000) location.reload(); }, 10000);
