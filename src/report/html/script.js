"use strict";
// Values under the pointer: the vertices of the curves are in the drawing, the axes in its metadata.
(() => {
  const box = document.createElement("div");
  box.id = "value";
  box.hidden = true;
  document.body.append(box);
  const NEAR = 300; // cells of the drawing's grid

  const value = (axis, share) => {
    const at = axis.low + share * (axis.high - axis.low);
    const x = axis.log ? Math.pow(10, at) : at;
    if (Number.isFinite(x) && x !== 0 && axis.log) return x.toExponential(2);
    if (Number.isFinite(x)) return String(Number(x.toPrecision(4)));
    const whole = Math.floor(at);
    return Math.pow(10, at - whole).toFixed(2) + "e" + whole;
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

  for (const svg of document.querySelectorAll("figure svg")) {
    const metadata = svg.querySelector("metadata");
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
      points ??= vertices(svg);
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
})();
