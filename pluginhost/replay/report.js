
"use strict";
// Draws a backtest from the data in the page. Whatever stands in the data becomes text, never markup: there is no way here from a string to an element.
const data = JSON.parse(document.getElementById("data").textContent);
const main = document.querySelector("main");
const SVG = "http://www.w3.org/2000/svg", MINUTE = 60e3, HOUR = 60 * MINUTE, DAY = 24 * HOUR, YEAR = 365.25 * DAY;
const STEPS = [1, 5, 15, 30, 60, 180, 360, 720].map((n) => n * MINUTE).concat([1, 2, 4, 7, 14, 28, 91].map((n) => n * DAY));
const LEVELS = data.levels, WORST_FIRST = [...LEVELS].reverse();
const PAGE = 25;

const put = (node, attributes, children) => {
  for (const [name, value] of Object.entries(attributes)) typeof value === "function" ? node.addEventListener(name, value) : node.setAttribute(name, value);
  node.append(...[children].flat(2).filter((child) => child !== null));
  return node;
};
const el = (name, attributes = {}, children = []) => put(document.createElement(name), attributes, children);
const svg = (name, attributes = {}, children = []) => put(document.createElementNS(SVG, name), attributes, children);
const number = (value) => value.toLocaleString("en");
const count = (value, what) => `${number(value)} ${what}${value === 1 ? "" : "s"}`;
const least = (values) => values.reduce((a, b) => Math.min(a, b)), most = (values) => values.reduce((a, b) => Math.max(a, b));
const add = (map, key, value) => map.set(key, (map.get(key) || 0) + value);

const told = (format) => { const made = new Intl.DateTimeFormat("en-GB", { timeZone: "UTC", ...format }); return (ms) => made.format(ms); };
const clock = told({ hour: "2-digit", minute: "2-digit" }), day = told({ day: "numeric", month: "short" }), month = told({ month: "short", year: "numeric" });
const year = told({ year: "numeric" }), date = told({ day: "numeric", month: "short", year: "numeric" });
const minute = (ms) => moment(ms).slice(0, 16);
const moment = (ms) => new Date(ms).toISOString().slice(0, 19).replace("T", " ");
const span = (from, to) => day(from) + year(from) === day(to) + year(to) ? `${date(from)} ${clock(from)}–${clock(to)}` : `${date(from)} ${clock(from)} – ${date(to)} ${clock(to)}`;
const length = (ms) => { const [size, name] = [[DAY, "day"], [HOUR, "hour"], [MINUTE, "minute"]].find(([one]) => ms >= one); return ms === size ? `a${name === "hour" ? "n" : ""} ${name}` : `${ms / size} ${name}s`; };

const sections = [];
function section(id, title, note, children) {
  sections.push([id, title]);
  main.append(el("section", { id, "aria-labelledby": `${id}-title` }, [el("h2", { id: `${id}-title` }, title), note ? el("p", { class: "note" }, note) : null, children]));
}

// A chart is drawn for the width there is, so that its letters keep their size, and again when that changes.
const drawn = [];
function chart(draw) {
  const place = el("div");
  drawn.push([place, draw]);
  return place;
}
function redraw() {
  for (const [place, draw] of drawn) {
    const width = Math.round(place.clientWidth);
    if (width && place.dataset.width !== String(width)) { place.dataset.width = width; place.replaceChildren(draw(width)); }
  }
}

function ticks(from, to, room) {
  const step = STEPS.find((one) => (to - from) / one <= room);
  if (!step) {
    const every = Math.ceil((to - from) / YEAR / room), first = new Date(from).getUTCFullYear() + 1;
    return Array.from({ length: Math.ceil(room) + 1 }, (_, n) => Date.UTC(first + n * every, 0, 1)).filter((at) => at <= to).map((at) => [at, year(at)]);
  }
  const name = step >= 28 * DAY ? month : (at) => step < DAY && at % DAY ? clock(at) : day(at), made = [];
  for (let at = Math.ceil(from / step) * step; at <= to; at += step) made.push([at, name(at)]);
  return made;
}
function rungs(top, whole) {
  const power = 10 ** Math.max(Math.floor(Math.log10(top / 3)), whole ? 0 : -9), step = [1, 2, 5, 10].map((n) => n * power).find((one) => top / one <= 4);
  return Array.from({ length: Math.floor(top / step + 1e-9) + 1 }, (_, n) => +(n * step).toPrecision(6));
}
function frame(width, height, from, to, top, whole, label) {
  const left = 46, right = 10, bottom = 24, above = 10;
  const x = (time) => left + (width - left - right) * (time - from) / (to - from), y = (value) => above + (height - bottom - above) * (1 - value / top);
  const made = svg("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": label });
  for (const value of rungs(top, whole)) made.append(svg("line", { x1: left, x2: width - right, y1: y(value), y2: y(value), class: "axis" }),
    svg("text", { x: left - 8, y: y(value) + 4, "text-anchor": "end" }, number(value)));
  for (const [at, text] of ticks(from, to, (width - left) / 90)) made.append(svg("line", { x1: x(at), x2: x(at), y1: y(0), y2: y(0) + 4, class: "axis" }),
    svg("text", { x: Math.min(Math.max(x(at), left), width - right - 18), y: height - 5, "text-anchor": "middle" }, text));
  return { made, x, y };
}

const starts = data.counts.map((one) => one[0]);
const RANGE = starts.length ? [least(starts), most(starts) + data.unit] : null;
if (RANGE) while (RANGE[1] - RANGE[0] < 24 * data.unit) { RANGE[0] -= data.unit; RANGE[1] += data.unit; }

function overTime() {
  const buckets = new Map();
  for (const [start, , level, n] of data.counts) add(buckets.has(start) ? buckets.get(start) : buckets.set(start, new Map()).get(start), level, n);
  const sums = [...buckets].map(([start, by]) => [start, by, [...by.values()].reduce((a, b) => a + b)]);
  const top = most(sums.map((one) => one[2]));
  const draw = (width) => {
    const { made, x, y } = frame(width, width < 600 ? 200 : 240, ...RANGE, top, true, `Alerts by time and severity, at most ${top} in ${length(data.unit)}`);
    const wide = x(data.unit) - x(0), gap = wide > 4 ? 1 : 0;
    for (const [start, by, sum] of sums) {
      let below = 0;
      for (const level of LEVELS.filter((one) => by.has(one))) {
        made.append(svg("rect", { x: x(start) + gap / 2, y: y(below + by.get(level)), width: Math.max(wide - gap, 1), height: y(below) - y(below + by.get(level)), class: level }));
        below += by.get(level);
      }
      const what = WORST_FIRST.filter((level) => by.has(level)).map((level) => `${number(by.get(level))} ${level}`).join(", ");
      made.append(svg("rect", { x: x(start), y: y(top), width: Math.max(wide, 2), height: y(0) - y(top), class: "spot", click: () => choose({ from: minute(start), to: minute(start + data.unit) }) },
        svg("title", {}, `${span(start, start + data.unit)} UTC: ${count(sum, "alert")} (${what})`)));
    }
    return made;
  };
  section("time", "Alerts over time", `${span(...RANGE)} UTC; alerts in ${length(data.unit)} each. A click on a bar shows its alerts.`, [chart(draw),
    el("div", { class: "legend" }, LEVELS.map((level) => el("span", {}, [el("i", { class: level }), level])))]);
}

function analyzers() {
  const [from, to] = RANGE, strip = (name) => {
    const worst = new Map();
    for (const [start, analyzer, level] of data.counts) if (analyzer === name) worst.set(start, LEVELS[Math.max(LEVELS.indexOf(level), LEVELS.indexOf(worst.get(start)))]);
    const slim = (to - from) / 1200;
    return svg("svg", { viewBox: `0 0 1000 10`, preserveAspectRatio: "none", "aria-hidden": "true" }, [...worst].map(([start, level]) =>
      svg("rect", { x: 1000 * (start - from) / (to - from), y: 1.5, width: 1000 * Math.max(data.unit, slim * 4) / (to - from), height: 7, class: level })));
  };
  const rows = data.analyzers.map(([name, title, n]) => el("tr", {}, [
    el("td", {}, el("button", { type: "button", title: name, click: () => choose({ analyzer: name }) }, name)), el("td", { class: "title soft", title }, title),
    el("td", { class: "number" }, number(n)), el("td", { class: "strip" }, strip(name))]));
  const body = el("tbody", {}, rows.slice(0, 12)), rest = rows.slice(12);
  const more = rest.length ? el("button", { type: "button", class: "more", click: (event) => { body.append(...rest); event.target.remove(); } }, `${count(rest.length, "more analyzer")}`) : null;
  section("analyzers", "Analyzers", "Who told, how often, and when; the colour is that of the worst severity at the time. A click on a name shows its alerts.", [
    el("table", {}, [el("thead", {}, el("tr", {}, [["name", "analyzer"], ["title", "what it tells"], ["number", "alerts"], ["strip", "when"]].map(([kind, text]) =>
      el("th", { class: kind, scope: "col" }, text)))), body]), more]);
}

function scores() {
  const panels = [...new Set([...Object.keys(data.scores), ...Object.keys(data.trends)])].map((name) => {
    const dots = data.scores[name] || [], trend = data.trends[name] || [], sorted = [...dots, ...trend].sort((a, b) => a[0] - b[0]), values = sorted.flatMap((one) => [one[1], one[2] || 0]);
    const top = most([...values, 0]) * 1.05 || 1, [from, to] = sorted[0][0] < sorted.at(-1)[0] ? [sorted[0][0], sorted.at(-1)[0]] : [sorted[0][0] - HOUR, sorted[0][0] + HOUR];
    const draw = (width) => {
      const { made, x, y } = frame(width, 190, from, to, top, false, `Scores of ${name}, at most ${most(values)}`);
      const held = sorted.filter((one) => one[2] !== null);
      if (held.length) made.append(svg("path", { class: "threshold", d: `M${x(from)} ${y(held[0][2])}` + held.map((one) => `H${x(one[0])}V${y(one[2])}`).join("") + `H${x(to)}` }));
      if (trend.length) made.append(svg("path", { class: "trend", d: "M" + trend.map((one) => `${x(one[0])} ${y(Math.max(one[1], 0))}`).join("L") }));
      for (const [time, score, threshold] of dots) made.append(svg("circle", { cx: x(time), cy: y(Math.max(score, 0)), r: 3.2, class: "low place" },
        svg("title", {}, `${moment(time)} UTC: score ${number(score)}${threshold === null ? "" : `, threshold ${number(threshold)}`}`)));
      return made;
    };
    return el("div", {}, [el("h3", {}, name), el("p", { class: "note" }, span(from, to)), chart(draw)]);
  });
  if (panels.length) section("scores", "Scores", "A dot is the score of an alert, in the analyzer's own unit; the dashed line is the threshold that it passed; a full line shows the highest scores of all times, alert or not. Times are UTC.", el("div", { class: "panels" }, panels));
}

// Miller's projection: degrees of longitude across, and up as far as makes the shapes right in the middle latitudes. Both in degrees.
const RADIAN = Math.PI / 180;
const up = (latitude) => 1.25 * Math.log(Math.tan(Math.PI / 4 + 0.4 * latitude * RADIAN)) / RADIAN;
const NORTH = up(84), SOUTH = up(-60);
let coast = null;
function coastline() {
  coast ??= data.coasts.map((line) => {
    let [x, y] = [0, 0];
    const points = line.split(" ").map((step) => { const [a, b] = step.split(","); x += +a; y += +b; return [x / 5, -up(y / 5).toFixed(2)]; });
    const drawnAt = (shift) => `M${points.map(([a, b]) => `${+(a + shift).toFixed(1)} ${b}`).join("L")}Z`;
    return drawnAt(0) + (points.some(([a]) => a > 180) ? drawnAt(-360) : "");
  }).join("");
  return coast;
}

// The shortest way from one place to the other on the globe, as lines that end where the map does.
function way([lat1, lon1], [lat2, lon2]) {
  const vector = (lat, lon) => [Math.cos(lat * RADIAN) * Math.cos(lon * RADIAN), Math.cos(lat * RADIAN) * Math.sin(lon * RADIAN), Math.sin(lat * RADIAN)];
  const a = vector(lat1, lon1), b = vector(lat2, lon2), angle = Math.acos(Math.min(1, Math.max(-1, a[0] * b[0] + a[1] * b[1] + a[2] * b[2])));
  let path = "", before = null;
  for (let n = 0; n <= 64; n++) {
    const [s, t] = angle < 1e-6 || angle > 3.14 ? [1 - n / 64, n / 64] : [Math.sin((1 - n / 64) * angle) / Math.sin(angle), Math.sin(n / 64 * angle) / Math.sin(angle)];
    const [x, y, z] = a.map((value, i) => s * value + t * b[i]), lon = Math.atan2(y, x) / RADIAN, lat = Math.atan2(z, Math.hypot(x, y)) / RADIAN;
    path += `${before === null || Math.abs(lon - before) > 180 ? "M" : "L"}${lon.toFixed(2)} ${(-up(Math.max(-85, Math.min(85, lat)))).toFixed(2)}`;
    before = lon;
  }
  return path;
}

// The part of the world in which the points lie, with some room around, in the shape of the drawing: [left, top, width, height] in degrees.
function view(points, shape, smallest) {
  const xs = points.map((one) => one[1]), ys = points.map((one) => Math.max(SOUTH, Math.min(NORTH, up(Math.max(-85, Math.min(85, one[0]))))));
  let wide = Math.max((most(xs) - least(xs)) * 1.24, smallest), high = Math.max((most(ys) - least(ys)) * 1.3, wide * shape);
  wide = Math.min(Math.max(wide, high / shape), 360);
  high = Math.min(wide * shape, NORTH - SOUTH);
  const left = Math.max(-180, Math.min(180 - wide, (least(xs) + most(xs) - wide) / 2)), top = Math.min(NORTH, Math.max(SOUTH + high, (least(ys) + most(ys) + high) / 2));
  return [left, top, wide, high];
}

// Names above their places, those that come first first, and none over another.
function labels(places, width) {
  const taken = places.map(([x, y]) => [x - 3, y - 3, 6, 6]), made = [], names = new Set();
  for (const [x, y, radius, name] of places) {
    const text = name.length > 24 ? `${name.slice(0, 23)}…` : name, half = text.length * 3.6, at = y - radius - 4.5;
    const left = Math.min(Math.max(x - half, 4), width - 2 * half - 4), box = [left, at - 11, 2 * half, 14];
    if (!text || names.has(text) || names.size >= width / 45 || at < 14) continue;
    if (taken.some((other) => box[0] < other[0] + other[2] && other[0] < box[0] + box[2] && box[1] < other[1] + other[3] && other[1] < box[1] + box[3])) continue;
    taken.push(box);
    names.add(text);
    made.push(svg("text", { x: left + half, y: at, "text-anchor": "middle", class: "label" }, text));
  }
  return made;
}

function map(width, shape, smallest, { places, ways, usual }, label) {
  const points = [...places, ...ways.flatMap((one) => [one.from, one.to]), ...usual.flatMap(([lat, lon, , km]) => [[lat - km / 111, lon], [lat + km / 111, lon]])];
  const [left, top, wide, high] = view(points, shape, smallest), scale = width / wide, height = Math.round(high * scale);
  const x = (lon) => (lon - left) * scale, y = (lat) => (top - up(Math.max(-85, Math.min(85, lat)))) * scale;
  const moved = { transform: `scale(${scale}) translate(${-left} ${top})` }, thin = { "vector-effect": "non-scaling-stroke" };
  const made = svg("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": label }, [svg("rect", { width, height, class: "sea" }),
    svg("path", { d: coastline(), class: "land", "fill-rule": "evenodd", ...moved, ...thin })]);
  const step = [5, 10, 15, 30, 45].find((one) => wide / one <= 9) || 45;
  for (let lon = Math.ceil((left + 1e-6) / step) * step; lon < left + wide; lon += step) made.append(svg("line", { x1: x(lon), x2: x(lon), y1: 0, y2: height, class: "axis" }));
  const steep = Math.min(step, 30);
  for (let lat = -Math.floor(80 / steep) * steep; lat <= 80; lat += steep) if (y(lat) > 14 && y(lat) < height) made.append(svg("line", { x1: 0, x2: width, y1: y(lat), y2: y(lat), class: "axis" }),
    svg("text", { x: 6, y: y(lat) - 4 }, lat ? `${Math.abs(lat)}° ${lat > 0 ? "N" : "S"}` : "equator"));
  for (const [lat, lon, ...circles] of usual) for (const km of [...circles].reverse()) made.append(svg("ellipse", { class: "usual", cx: x(lon), cy: y(lat),
    rx: km / 111.2 / Math.cos(lat * RADIAN) * scale, ry: Math.abs(y(lat - km / 222.4) - y(lat + km / 222.4)) }));
  for (const one of ways) made.append(svg("path", { d: way(one.from, one.to), class: `way ${one.level}`, ...moved, ...thin }, svg("title", {}, one.title)),
    svg("circle", { cx: x(one.from[1]), cy: y(one.from[0]), r: 3, class: `before ${one.level}` }, svg("title", {}, one.title)));
  const ordered = [...places].sort((a, b) => b.count - a.count), biggest = ordered.length ? ordered[0].count : 1, largest = Math.min(width / 80, 9.5);
  const radius = (n) => 3.2 + largest * Math.sqrt((n - 1) / Math.max(biggest - 1, 1));
  for (const one of ordered) made.append(svg("circle", { cx: x(one[1]), cy: y(one[0]), r: radius(one.count), class: `place ${one.level}` }, svg("title", {}, one.title)));
  made.append(...labels([...ordered, ...ways.map((one) => Object.assign([...one.from], { count: 1 }))].map((one) => [x(one[1]), y(one[0]), radius(one.count), one[2]]), width));
  return made;
}

function worse(a, b) { return LEVELS.indexOf(a) > LEVELS.indexOf(b) ? a : b; }

// Alerts of one place (or one way) together: how many, and how bad the worst is.
function together(rows, key) {
  const found = new Map();
  for (const row of rows) {
    const [level, n] = row.slice(-2), name = key(row), one = found.get(name) || found.set(name, { row, level, count: 0 }).get(name);
    one.count += n;
    one.level = worse(level, one.level);
  }
  return [...found.values()];
}

function where() {
  if (!data.places.length) return;
  const named = (place) => place[2] || `${place[0]}, ${place[1]}`;
  const near = ([lat, lon, name]) => name ? `${name} ${Math.round(lat / 3)} ${Math.round(lon / 3)}` : `${lat} ${lon}`;
  const places = together(data.places, near).map(({ row, level, count: n }) =>
    Object.assign(row.slice(0, 3), { level, count: n, title: `${named(row)}: ${count(n, "alert")}, the worst ${level}` }));
  const ways = together(data.journeys, ([from, to]) => `${near(from)} ${near(to)}`).map(({ row: [from, to], level, count: n }) =>
    ({ from, to, level, title: `from ${named(from)} to ${named(to)}: ${count(n, "alert")}, the worst ${level}` }));
  const seen = ways.length ? " A line is the shortest way from where the user was before (the ring) to there." : "";
  section("map", "Where alerts came from", `A dot is a place, larger with more alerts; colours are severities.${seen}`,
    [chart((width) => map(width, width < 600 ? 0.8 : 0.5, 50, { places, ways, usual: [] }, `${count(places.length, "place")} on a map, ${count(ways.length, "journey")}`)),
      el("div", { class: "legend" }, LEVELS.map((level) => el("span", {}, [el("i", { class: level }), level])))]);
}

function keys() {
  const found = Object.entries(data.keys);
  if (found.length) section("keys", "Most frequent", "In how many alerts a value stands. A click shows them.", el("div", { class: "columns" }, found.map(([field, rows]) => el("div", {}, [el("h3", {}, field),
    rows.map(([value, n]) => {
      const bar = el("button", { type: "button", class: "bar", title: value, click: () => choose({ text: value }) }, [el("span", {}, value), el("b", {}, number(n))]);
      bar.style.setProperty("--part", `${100 * n / rows[0][1]}%`);
      return bar;
    })]))));
}

function body(one) {
  const title = (data.analyzers.find(([name]) => name === one.analyzer) || ["", ""])[1];
  const facts = [["reason", one.reason === one.headline ? "" : one.reason], ["suppressed", one.suppressed], ["analyzer", title ? `${one.analyzer}: ${title}` : one.analyzer], ...one.facts, ["event.id", one.id]];
  const list = el("dl", {}, facts.filter((pair) => pair[1]).map(([name, value]) => [el("dt", {}, name), el("dd", { class: "value" }, value)]));
  const sides = el("div", { class: "sides" }, list);
  if (one.map) {
    const { here, before, usual } = one.map, level = one.severity;
    const ways = before ? [{ from: before, to: here, level, title: `from ${before[2]} to ${here[2]}` }] : [];
    const places = [Object.assign([...here], { level, count: 1, title: here[2] })];
    sides.append(el("div", {}, [chart((width) => map(width, 0.62, 14, { places, ways, usual }, `Map: ${here[2]}${before ? `, before that ${before[2]}` : ""}`)), usual.length ? el("p", { class: "note" }, "The circles are the user's usual places: the usual area, and the farthest that is still plausible.") : null]));
  }
  const block = (name, text) => text.length ? [el("h3", {}, name), el("pre", { tabindex: 0, "aria-label": name }, text)] : null;
  return el("div", { class: "body" }, [sides, block("Record", one.record ? [one.record] : []),
    block("Evidence", one.evidence.flatMap(([time, text], n) => [n ? "\n" : "", time === null ? "" : el("time", {}, `${moment(time)}  `), el("bdi", {}, text)]))]);
}

function row(one) {
  const made = el("details", {}, el("summary", {}, [el("span", { class: "when" }, moment(one.time)), el("span", { class: one.suppressed ? "soft" : one.severity }, one.severity),
    el("span", { class: "analyzer", title: one.analyzer }, one.analyzer), el("span", { class: "headline" }, one.headline)]));
  made.addEventListener("toggle", () => { if (made.children.length === 1) { made.append(body(one)); redraw(); } });
  return made;
}

const ORDERS = { "the most severe first": (a, b) => LEVELS.indexOf(b.severity) - LEVELS.indexOf(a.severity) || a.time - b.time, "the earliest first": (a, b) => a.time - b.time, "the latest first": (a, b) => b.time - a.time };
let choose = () => {};

function alerts() {
  if (!data.alerts.length) return;
  const select = (options) => el("select", { change: () => draw() }, options.map(([value, text]) => el("option", { value }, text)));
  const when = (example) => el("input", { placeholder: example, size: 14, spellcheck: "false", input: () => draw() });
  const controls = { text: el("input", { type: "search", input: () => draw() }), analyzer: select([["", "all"], ...data.analyzers.map(([name]) => [name, name])]),
    severity: select([["", "all"], ...WORST_FIRST.map((level) => [level, level]), ...(data.suppressed ? [["suppressed", `suppressed (${number(data.suppressed)})`]] : [])]),
    from: when(minute(RANGE ? RANGE[0] : 0)), to: when(minute(RANGE ? RANGE[1] : 0)), order: select(Object.keys(ORDERS).map((name) => [name, name])) };
  const names = { text: "text", analyzer: "analyzer", severity: "severity", from: "from (UTC)", to: "before (UTC)", order: "order" };
  const list = el("div"), note = el("p", { class: "soft", role: "status" }), searched = new Map();
  const words = (one) => searched.get(one) || searched.set(one, [one.headline, one.reason, one.record, ...one.facts.map((pair) => pair[1])].join("\n").toLowerCase()).get(one);
  const more = el("button", { type: "button", class: "more", click: () => draw(list.childElementCount + PAGE) }, "show more");
  const all = el("button", { type: "button", class: "more", click: () => choose({}) }, "clear the filter");
  function draw(shown = PAGE) {
    const { text, analyzer, severity, order } = Object.fromEntries(Object.entries(controls).map(([name, one]) => [name, one.value]));
    const [from, to] = [controls.from, controls.to].map((one) => Date.parse(one.value.trim().replace(" ", "T") + (one.value.includes(":") ? "Z" : ""))), sought = text.toLowerCase();
    const fit = data.alerts.filter((one) => (severity === "suppressed" ? one.suppressed : !one.suppressed && (!severity || one.severity === severity)) && (!analyzer || one.analyzer === analyzer)
      && !(one.time < from) && !(one.time >= to) && (!sought || words(one).includes(sought))).sort(ORDERS[order]);
    shown > PAGE ? list.append(...fit.slice(list.childElementCount, shown).map(row)) : list.replaceChildren(...fit.slice(0, shown).map(row));
    note.textContent = fit.length ? `${number(Math.min(fit.length, shown))} of ${count(fit.length, "alert")} shown` : "no alert fits";
    more.hidden = fit.length <= shown;
    all.hidden = !(text || analyzer || severity || controls.from.value || controls.to.value);
  }
  choose = (wanted) => {
    for (const name of ["text", "analyzer", "severity", "from", "to"]) controls[name].value = wanted[name] || "";
    draw();
    document.getElementById("alerts").scrollIntoView();
    controls.text.focus({ preventScroll: true });
  };
  draw();
  const held = data.total + data.suppressed > data.alerts.length ? ` The page holds the ${number(data.alerts.length)} most severe of ${number(data.total + data.suppressed)}.` : "";
  section("alerts", "Alerts", `A click on an alert shows what it stands on. Times are UTC.${held}`, [el("div", { class: "filters" }, Object.entries(controls).map(([name, one]) =>
    el("label", name === "text" ? { class: "wide" } : {}, [names[name], one]))), note, list, more, all]);
}

function head() {
  const figure = (n, level, what) => el("button", { type: "button", click: () => choose({ severity: level }) }, [el("b", { class: level }, number(n)), el("span", {}, what)]);
  const header = document.querySelector("header");
  header.append(...data.told.map((line) => el("p", { class: "told value" }, line)));
  if (!data.total) header.append(el("p", { class: "note" }, data.suppressed ? "Nobody would have been told of anything." : "No analyzer had anything to tell."));
  header.append(el("div", { class: "figures" }, [figure(data.total, "", data.total === 1 ? "alert" : "alerts"), ...WORST_FIRST.map((level) => figure(data.by_level[level] || 0, level, level)),
    data.suppressed ? figure(data.suppressed, "suppressed", "suppressed") : null]));
}

head();
if (RANGE) { overTime(); analyzers(); }
alerts();
scores();
where();
keys();
document.querySelector("header").append(el("nav", { "aria-label": "parts of this page" }, sections.map(([id, title]) => el("a", { href: `#${id}` }, title))));
redraw();
new ResizeObserver(redraw).observe(main);
