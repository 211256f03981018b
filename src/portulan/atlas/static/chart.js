// The chart under hand and eye: what is under the pointer or the keys is shown, and said to who listens.
// Without this script the chart is the same picture with the same links, and the table below it says the same.
"use strict";

const SIDE = 256;
const PORTS = 65536;
const TIERS = [[0, 1023], [1024, 49151], [49152, 65535]]; // RFC 6335, section 6
const SVG = "http://www.w3.org/2000/svg";

/** The cell of a port on the curve: four copies of each curve make the next (as in curve.py). */
function cellOf(port) {
  let x = 0, y = 0;
  for (let side = 1, rest = port; side < SIDE; side *= 2, rest >>= 2) {
    switch (rest & 3) {
      case 0: [x, y] = [y, x]; break;
      case 1: x += side; break;
      case 2: x += side; y += side; break;
      default: [x, y] = [side - 1 - y, 2 * side - 1 - x];
    }
  }
  return [x, y];
}

/** The port whose cell is there. */
function portAt(x, y) {
  let port = 0;
  for (let side = SIDE / 2; side >= 1; side /= 2) {
    const right = x >= side, down = y >= side;
    port = port * 4 + (down ? (right ? 2 : 3) : (right ? 1 : 0));
    if (!right && !down) [x, y] = [y, x];
    else if (right) [x, y] = [x - side, down ? y - side : y];
    else [x, y] = [2 * side - 1 - y, side - 1 - x];
  }
  return port;
}

/** What an answer says of a port, in one line: each transport with its names and grade, and what was judged. */
function sentenceOf(answer, words) {
  const said = new Map();
  for (const [transport, on] of Object.entries(answer.transports)) {
    if (on.state === "unassigned") continue;
    const names = on.assignments.map((row) => row.service_name).filter(Boolean).join(", ");
    const grade = on.grade ? words[on.grade.registration] : "";
    const text = [names || words[on.state], grade].filter(Boolean).join(", ");
    said.set(text, [...(said.get(text) || []), transport]);
  }
  const parts = [...said].map(([text, transports]) => `${transports.join(", ")} ${text}`);
  const judged = new Set((answer.verdicts || []).map((verdict) => words[verdict.attention]));
  return [parts.join("; ") || words.unassigned, ...judged].join(" \u2013 ");
}

function explore(svg) {
  const { prefix } = svg.dataset;
  const [left, top, cells, margin, extent] =
    ["x", "y", "cells", "margin", "extent"].map((name) => Number(svg.dataset[name]));
  const words = JSON.parse(svg.dataset.words);
  const cell = extent / cells;
  const answers = new Map();
  const named = /^#[0-9]{1,5}$/.test(location.hash) ? Number(location.hash.slice(1)) : PORTS;
  const arrived = named < PORTS && contains(...cellOf(named));
  let port = arrived ? named : portAt(left, top), typed = "", asked = 0;

  const frame = document.createElement("div");
  frame.className = "chart-frame";
  frame.tabIndex = 0;
  frame.setAttribute("role", "application");
  frame.setAttribute("aria-label", words.here);
  const status = document.createElement("p");
  status.className = "chart-status";
  status.setAttribute("role", "status");
  svg.replaceWith(frame);
  frame.append(svg, status);
  const cursor = svg.appendChild(document.createElementNS(SVG, "rect"));
  cursor.setAttribute("class", "cursor");
  cursor.setAttribute("visibility", "hidden");
  // Arrows and Enter reach each port, so Tab goes past them: it would stop 256 times.
  if (cells <= 16) for (const link of svg.querySelectorAll("a")) link.tabIndex = -1;

  async function answerOf(number) {
    if (!answers.has(number)) {
      const response = await fetch(`/${number}.json`);
      if (!response.ok) throw new Error(response.statusText);
      answers.set(number, await response.json());
    }
    return answers.get(number);
  }

  function show(number) {
    port = number;
    const [x, y] = cellOf(port);
    const size = Math.max(cell, 9); // a cell of the world is too small to be found
    for (const [name, value] of Object.entries({
      x: margin + (x - left + 0.5) * cell - size / 2,
      y: margin + (y - top + 0.5) * cell - size / 2,
      width: size,
      height: size,
      visibility: "visible",
    })) cursor.setAttribute(name, value);
    status.textContent = String(port);
    clearTimeout(asked);
    asked = setTimeout(async () => { // whoever passes over many asks for none of them
      try {
        const sentence = sentenceOf(await answerOf(number), words);
        if (number === port) status.textContent = `${number}: ${sentence}`;
      } catch { /* the number is said; its page says the rest */ }
    }, 80);
  }

  function contains(x, y) {
    return x >= left && y >= top && x < left + cells && y < top + cells;
  }

  function go(number) {
    location.assign(`${prefix}/${number}`);
  }

  /** Shows a port, on this square of the chart or on the one of its size that has it. */
  function reach(number) {
    if (contains(...cellOf(number))) return show(number);
    const size = cells * cells, first = number - (number % size);
    location.assign(`${prefix}/chart/${first}-${first + size - 1}#${number}`);
  }

  svg.addEventListener("pointermove", (event) => {
    const matrix = svg.getScreenCTM();
    if (!matrix) return;
    const at = new DOMPoint(event.clientX, event.clientY).matrixTransform(matrix.inverse());
    const x = left + Math.floor((at.x - margin) / cell), y = top + Math.floor((at.y - margin) / cell);
    if (contains(x, y) && portAt(x, y) !== port) show(portAt(x, y));
  });

  const steps = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
  function target(key) {
    const tier = TIERS.find(([, last]) => port <= last);
    if (key in steps) {
      const [x, y] = cellOf(port).map((at, axis) => Math.min(Math.max(at + steps[key][axis], 0), SIDE - 1));
      return portAt(x, y);
    }
    if (key === "PageDown") return Math.min(port + 256, PORTS - 1);
    if (key === "PageUp") return Math.max(port - 256, 0);
    if (key === "Home") return tier[0];
    if (key === "End") return tier[1];
    return key === "Escape" ? port : null;
  }

  frame.addEventListener("focus", () => show(port));
  frame.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    const to = target(event.key);
    if (to !== null) {
      typed = "";
      reach(to);
    } else if (/^[0-9]$/.test(event.key)) {
      typed = (typed + event.key).slice(-5);
      status.textContent = typed;
    } else if (event.key === "Backspace" && typed) {
      typed = typed.slice(0, -1);
      status.textContent = typed;
    } else if (event.key === "Enter") {
      if (event.target !== frame && !typed) return; // a link's own Enter
      const number = typed ? Number(typed) : port;
      typed = "";
      if (number < PORTS) go(number);
      else show(port);
    } else if (event.key === "/") {
      const search = document.querySelector("input[type=search]");
      if (!search) return;
      typed = "";
      search.focus();
    } else return;
    event.preventDefault();
  });
  if (arrived) frame.focus();
}

for (const svg of document.querySelectorAll("svg.chart[data-cells]")) explore(svg);
