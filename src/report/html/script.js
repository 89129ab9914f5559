"use strict";
// Values under the pointer: the vertices of the curves are in the drawing, the axes in its metadata.
(() => {
  const box = document.createElement("div");
  box.id = "value";
  box.hidden = true;
  document.body.append(box);
  const NEAR = 300; // cells of the drawing's grid

  // 4.3·10⁻¹⁰ for 4.3e-10, as everywhere in the page
  const typeset = (text) => {
    const [mantissa, exponent] = text.split("e");
    const shown = (/[1-9]/.test(mantissa) ? mantissa : mantissa.replace("-", "")).replace("-", "−");
    if (!exponent || Number(exponent) === 0) return shown;
    const raised = { "-": "⁻", 0: "⁰", 1: "¹", 2: "²", 3: "³", 4: "⁴", 5: "⁵", 6: "⁶", 7: "⁷", 8: "⁸", 9: "⁹" };
    return shown + "·10" + [...exponent.replace("+", "")].map((c) => raised[c]).join("");
  };

  const value = (axis, share) => {
    const at = axis.low + share * (axis.high - axis.low);
    const x = axis.log ? Math.pow(10, at) : at;
    if (Number.isFinite(x) && x !== 0 && axis.log) return typeset(x.toExponential(2));
    if (Number.isFinite(x)) return typeset(String(Number(x.toPrecision(4))));
    const whole = Math.floor(at);
    return typeset(Math.pow(10, at - whole).toFixed(2) + "e" + whole);
  };

  const inside = (p, [x0, y0, x1, y1]) => p[0] >= x0 - 1 && p[0] <= x1 + 1 && p[1] >= y0 - 1 && p[1] <= y1 + 1;
  const quiet = new Set(["#DDDDDD", "#555555", "#FFFFFF", "NONE"]);

  const vertices = (svg) => {
    const found = [];
    for (const line of svg.querySelectorAll("polyline")) {
      const ink = (line.getAttribute("stroke") || "none").toUpperCase();
      if (quiet.has(ink)) continue;
      for (const pair of line.getAttribute("points").trim().split(/\s+/)) found.push([...pair.split(",").map(Number), ink]);
    }
    for (const disc of svg.querySelectorAll("circle")) {
      const ink = (disc.getAttribute("fill") || "none").toUpperCase();
      if (!quiet.has(ink)) found.push([Number(disc.getAttribute("cx")), Number(disc.getAttribute("cy")), ink]);
    }
    return found;
  };

  // a window of a narrow screen shows a part of the drawing that it uses
  const drawing = (svg) => {
    const use = svg.querySelector("use");
    return use ? document.getElementById(use.getAttribute("href").slice(1)).ownerSVGElement : svg;
  };

  for (const svg of document.querySelectorAll("figure svg")) {
    const whole = drawing(svg);
    const metadata = whole.querySelector("metadata");
    if (!metadata) continue;
    const panels = JSON.parse(metadata.textContent);
    let points = null;
    const mark = document.createElementNS("http://www.w3.org/2000/svg", "circle");
    mark.setAttribute("r", "55");
    mark.setAttribute("fill", "none");
    mark.setAttribute("stroke", "#222222");
    mark.setAttribute("stroke-width", "14");
    const leave = () => {
      box.hidden = true;
      mark.remove();
    };
    svg.addEventListener("pointerleave", leave);
    svg.addEventListener("pointermove", (event) => {
      points ??= vertices(whole);
      const at = new DOMPoint(event.clientX, event.clientY).matrixTransform(svg.getScreenCTM().inverse());
      const panel = panels.find((panel) => inside([at.x, at.y], panel.plot));
      if (!panel) return leave();
      let nearest = null;
      let least = NEAR * NEAR;
      for (const point of points) {
        if (!inside(point, panel.plot)) continue;
        const distance = (point[0] - at.x) ** 2 + (point[1] - at.y) ** 2;
        if (distance < least) [nearest, least] = [point, distance];
      }
      const [x, y, ink] = nearest || [at.x, at.y, ""];
      const [x0, y0, x1, y1] = panel.plot;
      const lines = [
        panel.curves[ink] || "",
        panel.x.label + ": " + value(panel.x, (x - x0) / (x1 - x0)),
        panel.y.label + ": " + value(panel.y, (y1 - y) / (y1 - y0)),
      ].filter((line) => line);
      box.replaceChildren(...lines.flatMap((line, k) => (k ? [document.createElement("br"), line] : [line])));
      box.hidden = false;
      const right = event.clientX + 16 + box.offsetWidth > window.innerWidth;
      box.style.left = Math.max(0, right ? event.clientX - 12 - box.offsetWidth : event.clientX + 16) + "px";
      box.style.top = Math.max(0, event.clientY - 12 - box.offsetHeight) + "px";
      if (nearest) {
        mark.setAttribute("cx", x);
        mark.setAttribute("cy", y);
        svg.append(mark);
      } else mark.remove();
    });
  }

  for (const button of document.querySelectorAll("button[data-copy]")) {
    button.addEventListener("click", async () => {
      const text = document.getElementById(button.dataset.copy).textContent;
      try {
        await navigator.clipboard.writeText(text);
        button.textContent = "copied";
      } catch {
        const range = document.createRange();
        range.selectNodeContents(document.getElementById(button.dataset.copy));
        getSelection().removeAllRanges();
        getSelection().addRange(range);
        button.textContent = "selected";
      }
    });
  }

  // A link to what is folded unfolds it.
  const unfold = () => {
    const to = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (!to) return;
    for (let at = to; at; at = at.parentElement) if (at.tagName === "DETAILS") at.open = true;
    const inside = to.matches("tr") && to.querySelector("details");
    if (inside) inside.open = true;
    to.scrollIntoView();
  };
  addEventListener("hashchange", unfold);
  unfold();
})();

// Filters: a verdict is shown if its box is checked, and the claim or the scenario has the words that are looked for.
(() => {
  const form = document.querySelector("form.filters");
  if (!form) return;
  const claims = [...document.querySelectorAll("details.claim")];
  const words = new Map(claims.map((claim) => {
    const statement = [...claim.querySelectorAll(":scope > p, summary b")].map((part) => part.textContent);
    return [claim.dataset.claim, statement.join(" ").toLowerCase()];
  }));
  const table = document.querySelector(".matrix table");
  const rows = [...table.tBodies[0].rows];
  const heads = [...table.tHead.rows[0].cells];

  const filter = () => {
    const checked = (name) => [...form.querySelectorAll(`[name=${name}]:checked`)].map((box) => box.value);
    const verdicts = checked("verdict");
    const only = checked("only");
    const query = form.querySelector("#search").value.trim().toLowerCase();
    const passes = (claim, cell) => {
      const marks = cell.dataset.marks.split(" ");
      const found = !query || words.get(claim).includes(query) || cell.dataset.scenario.toLowerCase().includes(query);
      return found && marks.some((mark) => verdicts.includes(mark)) && only.every((mark) => marks.includes(mark));
    };
    let shown = 0;
    const used = new Set([0]);
    for (const row of rows) {
      let any = false;
      for (const cell of row.querySelectorAll("a.cell")) {
        const pass = passes(row.dataset.claim, cell);
        cell.classList.toggle("off", !pass);
        if (!pass) continue;
        any = true;
        shown += 1;
        used.add(cell.parentElement.cellIndex);
      }
      row.hidden = !any;
    }
    for (const row of [{ cells: heads }, ...rows]) [...row.cells].forEach((cell, k) => (cell.hidden = !used.has(k)));
    for (const claim of claims) {
      const of = [...claim.querySelectorAll("tr[data-marks]")];
      for (const row of of) row.hidden = !passes(claim.dataset.claim, row);
      claim.hidden = of.every((row) => row.hidden);
    }
    document.getElementById("shown").textContent = shown + " shown";
  };
  form.addEventListener("input", filter);
  form.addEventListener("submit", (event) => event.preventDefault());
  filter();
})();

// Units of ReLU networks through log time.
(() => {
  const data = document.getElementById("motion-data");
  if (!data) return;
  const runs = JSON.parse(data.textContent);
  const planes = [...document.querySelectorAll(".motion canvas.plane")];
  const maps = [...document.querySelectorAll(".motion canvas.weights")];
  const slider = document.getElementById("motion-time");
  const [GREEN, ORANGE] = [[0, 158, 115], [213, 94, 0]];
  const ink = ([r, g, b], share) => `rgba(${r}, ${g}, ${b}, ${share})`;
  const SIDE = planes[0].width;
  const GRID = 6; // pixels of a square in which the sign is one

  const output = ({ slope }, now, x, y) => {
    let sum = 0;
    for (const [u, v, w] of now) {
      const a = u * x + v * y;
      sum += w * (a > 0 ? a : slope * a);
    }
    return sum;
  };

  const regions = (run, now, to) => {
    for (let i = 0; i < SIDE; i += GRID)
      for (let j = 0; j < SIDE; j += GRID) {
        const f = output(run, now, ((i + GRID / 2) / SIDE) * 2 - 1, 1 - ((j + GRID / 2) / SIDE) * 2);
        to.fillStyle = f > 0 ? ink(GREEN, 0.16) : f < 0 ? ink(ORANGE, 0.16) : "#fff";
        to.fillRect(i, j, GRID, GRID);
      }
  };

  const arrow = (to, [u, v, w]) => {
    const length = Math.hypot(u, v);
    if (length === 0) return;
    const [share, angle] = [Math.min(1, length / 1000), Math.atan2(-v, u)];
    const tip = 0.15 * SIDE + 0.3 * SIDE * share;
    to.save();
    to.translate(SIDE / 2, SIDE / 2);
    to.rotate(angle);
    to.strokeStyle = to.fillStyle = w === 0 ? "#999" : ink(w > 0 ? GREEN : ORANGE, 0.45 + 0.55 * Math.abs(w / 1000));
    to.lineWidth = 4;
    to.beginPath();
    to.moveTo(0, 0);
    to.lineTo(tip - 12, 0);
    to.stroke();
    to.beginPath();
    to.moveTo(tip, 0);
    to.lineTo(tip - 18, 8);
    to.lineTo(tip - 18, -8);
    to.fill();
    to.restore();
  };

  const dots = ({ samples }, to) => {
    const reach = 1.15 * Math.max(...samples.flatMap(([x, y]) => [Math.abs(x), Math.abs(y)]), 1e-300);
    to.lineWidth = 3;
    for (const [x, y, label] of samples) {
      const [px, py] = [((x / reach + 1) * SIDE) / 2, ((1 - y / reach) * SIDE) / 2];
      to.fillStyle = label > 0 ? ink(GREEN, 1) : ink(ORANGE, 1);
      to.strokeStyle = "#222";
      to.beginPath();
      if (label > 0) to.arc(px, py, 9, 0, 2 * Math.PI);
      else to.rect(px - 8, py - 8, 16, 16);
      to.fill();
      to.stroke();
    }
  };

  const heat = ({ weights, units }, k, map) => {
    const to = map.getContext("2d");
    const now = weights[k];
    const rows = units[k].length;
    const columns = now.length / rows;
    const [width, height] = [map.width / (columns + 1.5), map.height / rows];
    const square = (share, x, y) => {
      to.fillStyle = ink(share > 0 ? GREEN : ORANGE, Math.abs(share));
      to.fillRect(x, y, width - 1, height - 1);
    };
    to.clearRect(0, 0, map.width, map.height);
    for (let j = 0; j < rows; j += 1) {
      for (let i = 0; i < columns; i += 1) square(now[j * columns + i] / 100, i * width, j * height);
      square(units[k][j][2] / 1000, (columns + 0.5) * width, j * height);
    }
  };

  // the run that goes furthest sets the times; the others show the save nearest to each
  const leader = runs.reduce((a, b) => (b.s[b.s.length - 1] > a.s[a.s.length - 1] ? b : a));
  const nearest = (run, s) => run.s.reduce((best, at, k) => (Math.abs(at - s) < Math.abs(run.s[best] - s) ? k : best), 0);

  const draw = () => {
    const moment = Number(slider.value);
    runs.forEach((run, i) => {
      const k = run === leader ? moment : nearest(run, leader.s[moment]);
      const to = planes[i].getContext("2d");
      to.clearRect(0, 0, SIDE, SIDE);
      regions(run, run.units[k], to);
      for (const unit of run.units[k]) arrow(to, unit);
      dots(run, to);
      if (run.weights.length) heat(run, k, maps[i]);
    });
    document.getElementById("motion-now").textContent = "ln(1+t) = " + leader.times[moment];
  };
  slider.max = leader.times.length - 1;
  slider.value = slider.max;
  slider.addEventListener("input", draw);
  let timer = null;
  const play = document.getElementById("motion-play");
  play.addEventListener("click", () => {
    if (timer) {
      clearInterval(timer);
      timer = null;
    } else {
      if (slider.value === slider.max) slider.value = 0;
      timer = setInterval(() => {
        slider.value = Number(slider.value) + 1;
        draw();
        if (slider.value === slider.max) play.click();
      }, 250);
    }
    play.textContent = timer ? "pause" : "play";
    draw();
  });
  runs.forEach((run, i) => (maps[i].parentElement.hidden = !run.weights.length));
  document.querySelector(".motion").hidden = false;
  draw();
})();
