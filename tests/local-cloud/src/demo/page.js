// Draws the two charts of the page from the JSON in it. Both share one scale of time, so a look straight down follows
// one moment through sessions, servers and lives. Drawn again whenever the width changes.
"use strict";
(() => {
  const data = JSON.parse(document.getElementById("drawing").textContent);
  const tip = document.getElementById("tip");
  const SHADES = ["blue", "blue-busy", "away", "green", "green-busy"];
  const LEFT = 44, RIGHT = 12;
  const escape = (text) => String(text).replace(/[&<>"]/g, (c) => `&#${c.charCodeAt(0)};`);
  const seconds = (millis) => `${((millis - data.zero) / 1000).toFixed(1).replace("-", "−")} s`;
  const plain = (millis) => (Math.abs(millis) < 950 ? `${Math.round(millis)} ms` : `${(millis / 1000).toFixed(1)} s`);
  const textWidth = (text) => text.length * 6.4;

  // A round step that gives at most `most` steps over `span`.
  const step = (span, most) => {
    const raw = Math.max(span / most, 1e-9);
    const power = 10 ** Math.floor(Math.log10(raw));
    return [1, 2, 5, 10].map((n) => n * power).find((n) => n >= raw);
  };

  const scaleOf = (width) => {
    const inner = Math.max(width - LEFT - RIGHT, 50);
    return {
      width, right: LEFT + inner,
      x: (millis) => LEFT + (Math.min(Math.max(millis, 0), data.end) / data.end) * inner,
      time: (x) => ((x - LEFT) / inner) * data.end,
    };
  };

  const rect = (x, y, width, height, kind, extra = "") =>
    `<rect x="${x.toFixed(2)}" y="${y.toFixed(2)}" width="${Math.max(width, 0).toFixed(2)}" height="${height.toFixed(2)}" class="${kind}" ${extra}/>`;
  const line = (x1, y1, x2, y2, kind) => `<line x1="${x1.toFixed(2)}" y1="${y1}" x2="${x2.toFixed(2)}" y2="${y2}" class="${kind}"/>`;

  // Labels of the marks in as many lines as keep them apart.
  const markLabels = (scale, top) => {
    const ends = [];
    return data.marks.map(([at, label]) => {
      const x = scale.x(at), wide = textWidth(label);
      const flipped = x + wide + 6 > scale.right;
      const from = flipped ? x - wide - 4 : x + 4;
      let row = ends.findIndex((end) => end < from);
      if (row < 0) { row = ends.length; }
      ends[row] = from + wide + 8;
      return { at, label, x, row, anchor: flipped ? "end" : "start", textX: flipped ? x - 4 : x + 4, y: top + 12 + row * 15 };
    });
  };

  const marks = (scale, top, bottom, labels) =>
    labels.map(({ label, x, y }) => line(x, Math.min(y - 10, top), x, bottom, label === "switch" ? "mark switch" : "mark")).join("");

  const timeAxis = (scale, top, bottom) => {
    const every = Math.max(step(data.end / 1000, Math.max(Math.floor((scale.width - LEFT) / 80), 2)), 1) * 1000;
    let out = line(LEFT, bottom, scale.right, bottom, "axis");
    for (let tick = Math.ceil(-data.zero / every) * every; tick + data.zero <= data.end; tick += every) {
      const x = scale.x(tick + data.zero);
      out += line(x, top, x, bottom + 4, "grid");
      out += `<text x="${x}" y="${bottom + 18}" text-anchor="middle">${tick < 0 ? "−" : ""}${Math.abs(tick / 1000)} s</text>`;
    }
    return out + `<text x="${scale.right}" y="${bottom + 34}" text-anchor="end">seconds after ${escape(data.zero_is)}</text>`;
  };

  // A step line: a report holds until the next one.
  const area = (points, scale, y, upper, lower, kind) => {
    if (points.length === 0) { return ""; }
    const last = points[points.length - 1];
    const edge = (of) => {
      const corners = [];
      points.forEach((point, at) => {
        if (at > 0) { corners.push(`${scale.x(point[0]).toFixed(1)} ${y(of(points[at - 1])).toFixed(1)}`); }
        corners.push(`${scale.x(point[0]).toFixed(1)} ${y(of(point)).toFixed(1)}`);
      });
      corners.push(`${scale.x(Math.max(data.end, last[0])).toFixed(1)} ${y(of(last)).toFixed(1)}`);
      return corners;
    };
    return `<path class="${kind}" d="M${edge(upper).join("L")}L${edge(lower).reverse().join("L")}Z"/>`;
  };

  const panel = (name, points, scale, top, height, most) => {
    const y = (count) => top + height - (count / most) * height;
    const every = Math.max(step(most, 4), 1);
    let out = "";
    for (let tick = 0; tick <= most; tick += every) {
      out += line(LEFT, y(tick), scale.right, y(tick), "grid") + `<text x="${LEFT - 6}" y="${y(tick) + 4}" text-anchor="end">${tick}</text>`;
    }
    out += area(points, scale, y, (p) => p[1] + p[2], (p) => p[1], name) + area(points, scale, y, (p) => p[1], () => 0, `${name}-busy`);
    return out + line(LEFT, top + height, scale.right, top + height, "axis");
  };

  const stageStrip = (scale, top) =>
    data.stages.map(([name, from, to], at) => {
      const x = scale.x(from), width = scale.x(to) - x;
      const label = textWidth(name) + 8 < width ? `<text x="${x + width / 2}" y="${top + 14}" text-anchor="middle">${escape(name)}</text>` : "";
      return rect(x, top, width, 20, at % 2 ? "stage other" : "stage", `data-stage="${at}"`) + label;
    }).join("");

  const serverStrips = (scale, top, each) =>
    data.servers.map((server, at) => {
      const y = top + at * each + (at > 0 && server.environment !== data.servers[0].environment ? 4 : 0);
      return server.spans.map(([from, to, admission]) =>
        rect(scale.x(from), y, Math.max(scale.x(to) - scale.x(from), 2), Math.max(each - 2, 1), ["open", "draining", "sealed"].includes(admission) ? admission : "unknown")).join("");
    }).join("");

  const stripNames = (top, each) => ["blue", "green"].map((name) => {
    const first = data.servers.findIndex((server) => server.environment === name);
    const of = data.servers.filter((server) => server.environment === name).length;
    if (first < 0) { return ""; }
    return `<text x="${LEFT - 6}" y="${top + (first + of / 2) * each + (first > 0 ? 4 : 0) + 3}" text-anchor="end">${name}</text>`;
  }).join("");

  const at = (points, time) => {
    let found = null;
    for (const point of points) { if (point[0] > time) { break; } found = point; }
    return found || [0, 0, 0];
  };
  const stageAt = (time) => (data.stages.find(([, from, to]) => from <= time && time < to) || ["no execution"])[0];

  const overTime = (host) => {
    const scale = scaleOf(host.clientWidth);
    const height = scale.width < 600 ? 96 : 132;
    const labels = markLabels(scale, 22);
    const rowsOfLabels = Math.max(...labels.map((label) => label.row + 1), 0);
    const blueTop = 28 + rowsOfLabels * 15 + 14, greenTop = blueTop + height + 26;
    const stripTop = greenTop + height + 12;
    const each = Math.max(2, Math.min(8, 160 / Math.max(data.servers.length, 1)));
    const bottom = stripTop + data.servers.length * each + 8;
    const most = Math.max(1, ...data.blue.map((p) => p[1] + p[2]), ...data.green.map((p) => p[1] + p[2]));
    host.innerHTML = `<svg height="${bottom + 40}" viewBox="0 0 ${scale.width} ${bottom + 40}" role="img" aria-label="Sessions of blue and green over time">`
      + timeAxis(scale, blueTop, bottom) + stageStrip(scale, 0)
      + panel("blue", data.blue, scale, blueTop, height, most) + panel("green", data.green, scale, greenTop, height, most)
      + `<text x="${LEFT}" y="${blueTop - 5}" class="strong">Blue</text><text x="${LEFT}" y="${greenTop - 5}" class="strong">Green</text>`
      + stripNames(stripTop, each) + serverStrips(scale, stripTop, each) + marks(scale, 20, bottom, labels)
      + labels.map(({ label, textX, y, anchor }) => `<text x="${textX}" y="${y}" text-anchor="${anchor}" class="${label === "switch" ? "strong" : ""}">${escape(label)}</text>`).join("")
      + `<line class="hair" y1="0" y2="${bottom}" visibility="hidden"/></svg>`;
    hover(host, scale, (time) => {
      const blue = at(data.blue, time), green = at(data.green, time);
      return `${seconds(time)} · ${stageAt(time)}\nblue: ${blue[1]} busy, ${blue[2]} idle\ngreen: ${green[1]} busy, ${green[2]} idle`;
    });
  };

  // All stretches of one shade are one path, so ten thousand rows are a handful of elements.
  const lives = (host) => {
    const scale = scaleOf(host.clientWidth);
    const count = Math.max(data.rows.length, 1);
    const each = Math.min(14, Math.max(1.2, 640 / count));
    const tall = each > 4 ? each - 1 : each, top = 4, bottom = top + count * each;
    const paths = SHADES.map(() => []);
    const cuts = [];
    data.rows.forEach((row, at) => {
      const y = (top + at * each).toFixed(2);
      for (const [from, to, shade] of row.spans) {
        const x = scale.x(from), width = Math.max(scale.x(to) - x, shade === 2 ? 1 : 0);
        paths[shade].push(`M${x.toFixed(1)} ${y}h${width.toFixed(1)}v${tall.toFixed(2)}h-${width.toFixed(1)}z`);
      }
      for (const cut of row.cuts) {
        cuts.push(rect(scale.x(cut) - 4, top + at * each - Math.max(0, 6 - tall) / 2, 8, Math.max(tall, 6), "cut"));
      }
    });
    const order = [0, 3, 1, 4, 2];
    const labels = data.marks.map(([at, label]) => ({ label, x: scale.x(at), y: top }));
    host.innerHTML = `<svg height="${bottom + 44}" viewBox="0 0 ${scale.width} ${bottom + 44}" role="img" aria-label="Each session on blue, handed over, on green">`
      + order.map((shade) => `<path class="${SHADES[shade]}" d="${paths[shade].join("")}"/>`).join("")
      + timeAxis(scale, bottom, bottom + 2) + marks(scale, top, bottom, labels) + cuts.join("")
      + (data.rows.length === 0 ? `<text x="${LEFT}" y="${top + 12}">No session was opened.</text>` : "")
      + `<line class="hair" y1="0" y2="${bottom}" visibility="hidden"/></svg>`;
    hover(host, scale, (time, y) => {
      const row = data.rows[Math.floor((y - top) / each)];
      return row ? `${row.name} · ${seconds(time)}\n${story(row)}` : null;
    });
  };

  const story = (row) => {
    const busy = row.spans.filter(([, , shade]) => shade === 1).reduce((sum, [from, to]) => sum + to - from, 0);
    const away = row.spans.find(([, , shade]) => shade === 2);
    const parts = [];
    if (busy > 0) { parts.push(`busy on blue for ${plain(busy)}`); }
    if (away) { parts.push(`handed over at ${seconds(away[0])}, away for ${plain(away[1] - away[0])}`); }
    row.cuts.forEach((cut) => parts.push(`cut at ${seconds(cut)}`));
    return parts.join("\n") || "never moved";
  };

  const hover = (host, scale, say) => {
    const hair = host.querySelector(".hair");
    const hide = () => { tip.hidden = true; hair.setAttribute("visibility", "hidden"); };
    host.onpointerleave = hide;
    host.onpointermove = (event) => {
      const box = host.getBoundingClientRect();
      const x = event.clientX - box.left;
      const text = x < LEFT || x > scale.right ? null : say(scale.time(x), event.clientY - box.top);
      if (!text) { hide(); return; }
      hair.setAttribute("x1", x); hair.setAttribute("x2", x); hair.setAttribute("visibility", "visible");
      tip.textContent = text; tip.hidden = false;
      tip.style.left = `${Math.min(event.clientX + 14, window.innerWidth - tip.offsetWidth - 8)}px`;
      tip.style.top = `${Math.min(event.clientY + 14, window.innerHeight - tip.offsetHeight - 8)}px`;
    };
  };

  let drawn = 0;
  const draw = () => {
    const width = document.getElementById("lives").clientWidth;
    if (width === drawn) { return; }
    drawn = width;
    overTime(document.getElementById("over-time"));
    lives(document.getElementById("lives"));
  };
  new ResizeObserver(draw).observe(document.getElementById("lives"));
  draw();
})();
