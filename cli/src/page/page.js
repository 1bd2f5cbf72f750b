// Draws each view as it comes, and counts the seconds between two of them. It asks for nothing but /events.
"use strict";
(() => {
  const at = (id) => document.getElementById(id);
  const escape = (text) => String(text).replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);
  // Words in backticks are commands.
  const rich = (text) => escape(text).replace(/`([^`]*)`/g, "<code>$1</code>");
  const clock = (moment) => new Date(moment).toISOString().slice(11, 19);
  const many = (count, what) => `${count.toLocaleString("en")} ${what}${count === 1 ? "" : "s"}`;
  const span = (seconds) => {
    const [s, m, h] = [seconds % 60, Math.floor(seconds / 60) % 60, Math.floor(seconds / 3600)];
    if (seconds < 60) { return `${seconds} s`; }
    if (seconds < 3600) { return s ? `${m} min ${s} s` : `${m} min`; }
    if (h < 24) { return m ? `${h} h ${m} min` : `${h} h`; }
    return h % 24 ? `${Math.floor(h / 24)} d ${h % 24} h` : `${Math.floor(h / 24)} d`;
  };
  // Only what is another than before is touched: selections, hovers and scrolling stay.
  const put = (id, html) => {
    const node = at(id);
    if (node.drawn !== html) { node.drawn = html; node.innerHTML = html; }
  };

  let view = null, ahead = 0;
  const now = () => Date.now() + ahead;

  const BARS = { step: "step", settle: "settling", bake: "bake", deadline: "deadline" };
  const bar = ({ what, beganAt, endsAt }) => {
    const [from, to] = [Date.parse(beganAt), Date.parse(endsAt)];
    const over = Math.min(Math.max((now() - from) / Math.max(to - from, 1), 0), 1);
    const left = Math.max(Math.ceil((to - now()) / 1000), 0);
    const late = what === "deadline" && over >= 0.5 ? " late" : "";
    return `<span>${BARS[what] ?? escape(what)}</span><div class="track${late}"><i style="width:${(over * 100).toFixed(1)}%"></i></div>`
      + `<em>${left ? `${span(left)} left, until ${clock(to)}` : "over"}</em>`;
  };

  const side = (it) => {
    const healthy = it.healthy === null ? `${it.planned} planned` : `${it.healthy} of ${it.planned} healthy`;
    const version = it.version === null ? "" : `, version ${escape(it.version)}`;
    return `<div class="side ${escape(it.role)}"><div class="name"><span><b>${escape(it.role)}</b> ${escape(it.environment)}</span><span>${it.weight} %</span></div>`
      + `<div class="track"><i style="width:${it.weight}%"></i></div><small>${healthy}${version}</small></div>`;
  };

  const facts = (it) => {
    const rows = [];
    const waiting = (it.waitingFor ?? "").split("; ").filter(Boolean);
    if (waiting.length) { rows.push(["waits for", waiting.map((part) => `<p>${escape(part)}</p>`).join("")]); }
    it.wishes.forEach((wish) => rows.push(["asked", escape(wish)]));
    if (it.repairs) { rows.push(["weights", `moved ${many(it.repairs, "time")} by somebody else, and set right`]); }
    const { execution, part, passes, state, since, nextPassAt, runs } = it.acting;
    const next = nextPassAt && runs ? `, next pass ${clock(nextPassAt)}` : "";
    const where = state ? `${escape(state)}${since && runs ? ` since ${clock(since)}` : ""}${next}, ` : "";
    rows.push(["execution", `${where}pass ${passes}${part > 1 ? `, part ${part}` : ""}, <code>${escape(execution)}</code>`]);
    it.warnings.forEach((warning) => rows.push(["the plan warned", escape(warning)]));
    return `<dl class="facts">${rows.map(([head, text]) => `<dt>${head}</dt><dd>${text}</dd>`).join("")}</dl>`;
  };

  const server = (it, most) => {
    const share = (count) => (100 * count / most).toFixed(1);
    const text = it.is === "unknown"
      ? `<td class="text is-unknown" colspan="4">since ${clock(it.unknownSince)} (${span(it.unknownSeconds)}): ${escape(it.reason)}</td>`
      : `<td class="number">${it.busy}</td><td class="number">${it.idle}</td><td class="number">${it.oldestBusySeconds ? span(it.oldestBusySeconds) : "–"}</td>`
        + `<td class="load"><div class="track"><i style="width:${share(it.busy)}%"></i><i class="idle" style="width:${share(it.idle)}%"></i></div></td>`;
    return `<tr><td><code>${escape(it.instance)}</code></td><td class="is-${escape(it.is)}">${escape(it.is)}</td>${text}</tr>`;
  };

  const servers = (it) => {
    if (!it || !it.servers.length) { return ""; }
    const most = Math.max(1, ...it.servers.map((one) => one.busy + one.idle));
    const more = it.more ? `<tr><td colspan="6">and ${it.more} more</td></tr>` : "";
    return `<table><thead><tr><th>servers of ${escape(it.environment)}, at ${clock(it.at)}</th><th>admission</th><th class="number">busy</th><th class="number">idle</th>`
      + `<th class="number">oldest busy</th><th class="load"></th></tr></thead><tbody>${it.servers.map((one) => server(one, most)).join("")}${more}</tbody></table>`;
  };

  const deployment = (it, role) => {
    const { status, error, cause } = it.acting;
    const failed = !it.stopped || !(error || cause) ? "" : `<p class="error">${escape([error, cause].filter(Boolean).join(": "))}</p>`;
    const advice = it.advice.length ? `<div class="do">${it.advice.map((text) => `<p>${rich(text)}</p>`).join("")}</div>` : "";
    return `<section><div class="head"><h2>${escape(it.name)}</h2><span class="pill${it.stopped ? " bad" : ""}">${role}, ${escape(status.toLowerCase())}</span></div>`
      + `<p class="stage">${escape(it.stage)}</p>${failed}${advice}`
      + (it.sides.length ? `<div class="sides">${it.sides.map(side).join("")}</div>` : "")
      + (it.bars.length ? `<div class="bars">${it.bars.map(bar).join("")}</div>` : "")
      + `${facts(it)}${servers(it.empties)}</section>`;
  };

  const all = () => [view.front, ...view.retiring].filter(Boolean);

  const figures = () => {
    const counted = all().map((it) => it.empties).filter(Boolean);
    if (!counted.length) { return ""; }
    const sum = (of) => counted.reduce((total, it) => total + it[of], 0);
    const figure = (number, what, bad) => `<div${bad ? ' class="bad"' : ""}><dt>${what}</dt><dd>${number}</dd></div>`;
    return figure(sum("busy").toLocaleString("en"), "busy sessions") + figure(sum("idle").toLocaleString("en"), "idle sessions")
      + figure(sum("closed").toLocaleString("en"), "asked to move")
      + figure(sum("unknown"), "silent servers", sum("unknown") > 0) + figure(sum("terminated"), "servers ended");
  };

  const title = () => {
    const { front, retiring } = view;
    const stopped = all().find((it) => it.stopped);
    if (stopped) { return ["It has stopped", `The execution of ${stopped.name} is ${stopped.acting.status.toLowerCase()}: it needs a person.`]; }
    if (front?.stands) { return ["It waits for a person", `Deployment ${front.name}: ${front.stage}.`]; }
    if (front) { return [front.stage.charAt(0).toUpperCase() + front.stage.slice(1), `Deployment ${front.name} holds the front.`]; }
    if (retiring.length) { return [`${retiring.map((it) => it.empties?.environment ?? it.name).join(", ")} ${retiring.length > 1 ? "drain" : "drains"}`, "The front is free: the next deployment may start."]; }
    const last = view.last ? ` The last one ended as ${view.last.outcome}: ${view.last.reason}.` : "";
    return ["Nothing is under way", `The next deployment may start.${last}`];
  };

  const STANDS = { switch: "It waits at the gate before the switch", seal: "It waits at the gate before the first seal", pause: "It is paused" };
  const stands = () => {
    const it = view.front?.stands;
    if (!it) { return ""; }
    const left = Math.max(Math.ceil((Date.parse(it.until) - now()) / 1000), 0);
    return `<p class="stands">${STANDS[it.at] ?? escape(it.at)}${it.asked ? `, by ${escape(it.asked)}` : ""}; ${left ? `${span(left)} left, until ${clock(it.until)}` : "its time is over"}.</p>`;
  };

  const events = () => view.events.map((it) =>
    `<tr${it.bad ? ' class="bad"' : ""}><td class="when">${clock(it.at)}</td>${all().length > 1 ? `<td class="state">${escape(it.execution)}</td>` : ""}<td class="state">${escape(it.state)}</td><td class="text">${escape(it.text)}</td></tr>`)
    .reverse().join("") || '<tr><td class="text">Nothing yet.</td></tr>';

  const tick = () => {
    if (!view) { return; }
    const [head, words] = title();
    document.title = `${view.service}: ${head}`;
    put("eyebrow", `Ebbtide · ${escape(view.service)} · stack ${escape(view.stack)} · epoch ${view.epoch} · ${clock(now())}`);
    put("title", escape(head));
    put("lede", escape(words));
    put("stands", stands());
    put("figures", figures());
    put("deployments", (view.front ? deployment(view.front, "front") : "") + view.retiring.map((it) => deployment(it, "retiring")).join(""));
    put("events", events());
  };

  // ---- sessions over time: a panel for each environment, on one scale of time

  const LEFT = 44, RIGHT = 12, TALL = 110;
  const step = (wide, most) => {
    const raw = Math.max(wide / most, 1e-9), power = 10 ** Math.floor(Math.log10(raw));
    return [1, 2, 5, 10].map((n) => n * power).find((n) => n >= raw);
  };
  const TICKS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400].map((s) => s * 1000);
  const line = (x1, y1, x2, y2, kind) => `<line x1="${x1.toFixed(1)}" y1="${y1.toFixed(1)}" x2="${x2.toFixed(1)}" y2="${y2.toFixed(1)}" class="${kind}"/>`;

  // A count holds until the next one.
  const area = (points, until, x, y, upper, lower, kind) => {
    const edge = (of) => {
      const corners = [];
      points.forEach((point, n) => {
        if (n) { corners.push(`${x(point.time).toFixed(1)} ${y(of(points[n - 1])).toFixed(1)}`); }
        corners.push(`${x(point.time).toFixed(1)} ${y(of(point)).toFixed(1)}`);
      });
      corners.push(`${x(until).toFixed(1)} ${y(of(points[points.length - 1])).toFixed(1)}`);
      return corners;
    };
    return `<path class="${kind}" d="M${edge(upper).join("L")}L${edge(lower).reverse().join("L")}Z"/>`;
  };

  const panels = () => {
    const found = new Map();
    view.counted.forEach((it) => {
      if (!found.has(it.environment)) { found.set(it.environment, []); }
      found.get(it.environment).push({ ...it, time: Date.parse(it.at) });
    });
    return [...found];
  };

  const drawChart = () => {
    const found = panels(), host = at("chart");
    at("chart-section").hidden = found.length === 0;
    if (!found.length || !host.clientWidth) { return; }
    const width = host.clientWidth, right = width - RIGHT;
    const from = Math.min(...found.map(([, points]) => points[0].time));
    const to = Math.max(Date.parse(view.at), from + 10000);
    const x = (time) => LEFT + (time - from) / (to - from) * (right - LEFT);
    const emptied = new Set(all().map((it) => it.empties?.environment));
    const bottom = found.length * (TALL + 34);
    let out = "";
    const every = TICKS.find((it) => it >= (to - from) / Math.max(width / 110, 2)) ?? 86400000;
    for (let time = Math.ceil(from / every) * every; time <= to; time += every) {
      out += line(x(time), 20, x(time), bottom + 4, "grid") + `<text x="${x(time).toFixed(1)}" y="${bottom + 18}" text-anchor="middle">${clock(time)}</text>`;
    }
    found.forEach(([name, points], n) => {
      const top = 24 + n * (TALL + 34), most = Math.max(1, ...points.map((it) => it.busy + it.idle));
      const y = (count) => top + TALL - count / most * TALL;
      const each = Math.max(step(most, 4), 1);
      for (let count = 0; count <= most; count += each) {
        out += line(LEFT, y(count), right, y(count), "grid") + `<text x="${LEFT - 6}" y="${(y(count) + 4).toFixed(1)}" text-anchor="end">${count}</text>`;
      }
      // What is not emptied any more has ended with its last count.
      const until = emptied.has(name) ? to : points[points.length - 1].time;
      out += area(points, until, x, y, (it) => it.busy + it.idle, (it) => it.busy, "idle") + area(points, until, x, y, (it) => it.busy, () => 0, "busy");
      points.forEach((it, k) => {
        if (it.unknown) { out += `<rect class="unknown" x="${x(it.time).toFixed(1)}" y="${top + TALL}" width="${Math.max(x(points[k + 1]?.time ?? until) - x(it.time), 1).toFixed(1)}" height="4"/>`; }
      });
      out += line(LEFT, top + TALL, right, top + TALL, "axis") + `<text x="${LEFT}" y="${top - 7}" class="strong">${escape(name)}</text>`;
    });
    host.innerHTML = `<svg height="${bottom + 26}" viewBox="0 0 ${width} ${bottom + 26}" role="img" aria-label="Busy and idle sessions of each environment over time">${out}<line class="hair" y1="20" y2="${bottom}" visibility="hidden"/></svg>`;
    const tip = at("tip"), hair = host.querySelector(".hair");
    const hide = () => { tip.hidden = true; hair.setAttribute("visibility", "hidden"); };
    host.onpointerleave = hide;
    host.onpointermove = (event) => {
      const left = event.clientX - host.getBoundingClientRect().left;
      if (left < LEFT || left > right) { hide(); return; }
      const time = from + (left - LEFT) / (right - LEFT) * (to - from);
      const rows = found.map(([name, points]) => [name, points.filter((it) => it.time <= time).pop()]).filter(([, it]) => it);
      tip.textContent = [clock(time), ...rows.map(([name, it]) => `${name}: ${it.busy} busy, ${it.idle} idle${it.unknown ? `, ${many(it.unknown, "server")} silent` : ""}`)].join("\n");
      tip.hidden = false;
      hair.setAttribute("x1", left); hair.setAttribute("x2", left); hair.setAttribute("visibility", "visible");
      tip.style.left = `${Math.min(event.clientX + 14, window.innerWidth - tip.offsetWidth - 8)}px`;
      tip.style.top = `${Math.min(event.clientY + 14, window.innerHeight - tip.offsetHeight - 8)}px`;
    };
  };

  const trouble = (text) => { const node = at("trouble"); node.hidden = !text; node.textContent = text; };

  const source = new EventSource("/events");
  source.addEventListener("view", (event) => {
    view = JSON.parse(event.data);
    ahead = Date.parse(view.at) - Date.now();
    trouble("");
    tick();
    drawChart();
  });
  source.addEventListener("trouble", (event) => trouble(`The last look failed, what is below is older: ${event.data}`));
  source.onerror = () => trouble("ebbtide watch does not answer: what is below is as old as the clock above says. Is it still running?");
  source.onopen = () => trouble("");
  setInterval(() => { if (source.readyState === EventSource.OPEN) { tick(); } }, 1000);
  new ResizeObserver(() => { if (view) { drawChart(); } }).observe(at("chart"));
})();
