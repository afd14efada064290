"use strict";
// Steps through the images of a queue, paints on their masks, and sends every decision to the
// server. Class ids are bytes, one for each pixel, in both directions.
(() => {
  const WORDS = {
    undecided: "undecided",
    accepted: "accepted",
    corrected: "accepted with a corrected mask",
    rejected: "rejected",
    to_correct: "marked for correction",
  };
  const PRESSED = { accepted: "accept", corrected: "accept", rejected: "reject", to_correct: "mark" };
  const MOST_UNDONE = 50; // strokes
  const DRAFT_MS = 400; // after the last stroke
  const LONGEST_SIDE = 16384; // pixels of a canvas
  const at = (id) => document.getElementById(id);
  const stage = at("stage");
  const sheet = at("sheet");
  const canvas = at("mask");
  const context = canvas.getContext("2d");

  let images = [];
  let colours = []; // class id -> [red, green, blue]
  let current = null; // the image that is shown
  let ids = null; // its mask; null until it is loaded
  let strokes = []; // [indices, former class ids] of each
  let isChanged = false; // since the mask was sent
  let isLeaving = false; // a decision or another image is on its way
  let sending = Promise.resolve(true);
  let timer = 0;
  let zoom = 1;
  let isFitted = true;
  let brushClass = 1;

  const tool = () => document.querySelector("input[name=tool]:checked").value;
  const choose = (value) => {
    document.querySelector(`input[name=tool][value=${value}]`).checked = true;
    applyTool();
  };
  function say(text, isGood = false) {
    at("message").textContent = text;
    at("message").classList.toggle("good", isGood);
  }

  // --- requests

  async function ask(path, options) {
    let answer;
    try {
      answer = await fetch(path, options);
    } catch {
      throw new Error(
        "The program does not answer. Start it again with the same command, and open the address " +
          "that it prints; what is saved is kept.",
      );
    }
    if (!answer.ok && answer.status !== 409) throw new Error(await answer.text());
    return answer;
  }

  const pixels = async (path) => new Uint8Array(await (await ask(path)).arrayBuffer());

  // Sends one change after the other; resolves to whether it was saved.
  function send(action) {
    clearTimeout(timer);
    const image = current;
    sending = sending.then(() => change(image, action));
    return sending;
  }

  async function change(image, action) {
    if (image !== current || !ids) return false;
    const sent = isChanged;
    isChanged = false;
    try {
      const answer = await ask(
        `decide/${image.rank}?action=${action}&version=${image.version}`,
        { method: "POST", body: sent ? ids.slice() : null },
      );
      Object.assign(image, await answer.json());
      say("");
      if (answer.status === 409) {
        await open(image);
        say("This image was changed in another tab; what you see now is what is saved.");
        return false;
      }
      return true;
    } catch (error) {
      isChanged = isChanged || sent;
      say(`Not saved. ${error.message}`);
      return false;
    } finally {
      describe();
    }
  }

  function saveSoon() {
    clearTimeout(timer);
    timer = setTimeout(() => send("draft"), DRAFT_MS);
  }

  // Runs one thing at a time that leaves the image; what is asked for meanwhile is dropped, so that
  // no image is decided that was not seen.
  async function leave(how) {
    if (isLeaving || !ids) return;
    isLeaving = true;
    try {
      await how();
    } finally {
      isLeaving = false;
    }
  }

  const decide = (action) =>
    leave(async () => {
      if (!(await send(action)) || action === "clear") return;
      const later = images.slice(current.rank);
      const next = [...later, ...images].find((image) => image.state === "undecided");
      if (next) await open(next);
      else say("All images are decided.", true);
    });

  const go = (image) =>
    leave(async () => {
      if (!image || image === current || (isChanged && !(await send("draft")))) return describe();
      await open(image);
    });

  // --- showing

  async function open(image) {
    current = image;
    ids = null;
    strokes = [];
    isChanged = false;
    at("photograph").src = `photograph/${image.rank}`;
    at("photograph").alt = image.image;
    at("uncertainty").src = `uncertainty/${image.rank}`;
    canvas.width = canvas.height = 0;
    describe();
    if (Math.max(image.width, image.height) > LONGEST_SIDE) {
      say(`An image with a side above ${LONGEST_SIDE} pixels cannot be painted here.`);
    }
    if (isFitted) fit();
    else resize();
    try {
      const loaded = await pixels(`mask/${image.rank}`);
      if (image !== current) return;
      ids = loaded;
      canvas.width = image.width;
      canvas.height = image.height;
      draw(0, 0, image.width, image.height);
      describe();
    } catch (error) {
      say(error.message);
    }
  }

  function describe() {
    const decided = images.filter((image) => image.state !== "undecided").length;
    at("title").textContent = current.image;
    at("facts").textContent =
      `${current.width} x ${current.height} px; score ${current.score.toFixed(3)} (ambiguity ` +
      `${current.ambiguity.toFixed(3)}` +
      (current.disagreement === null ? "" : `, disagreement ${current.disagreement.toFixed(3)}`) +
      `); about ${current.minutes.toFixed(1)} minutes to annotate`;
    at("state").textContent = WORDS[current.state];
    at("state").className = `state ${current.state}`;
    at("place").textContent = `image ${current.rank} of ${images.length}, ${decided} decided`;
    document.querySelectorAll("[data-action]").forEach((button) => {
      if (button.dataset.action === "clear") button.disabled = current.state === "undecided";
      else button.setAttribute("aria-pressed", PRESSED[current.state] === button.dataset.action);
    });
    at("previous").disabled = current.rank === 1;
    at("next").disabled = current.rank === images.length;
    at("undo").disabled = !strokes.length;
    images.forEach((image, index) => {
      const option = at("images").options[index];
      const text = `${image.rank}. ${image.image}: ${WORDS[image.state]}`;
      if (option.textContent !== text) option.textContent = text;
    });
    at("images").selectedIndex = current.rank - 1;
  }

  function draw(left, top, width, height) {
    if (width <= 0 || height <= 0) return;
    const data = context.createImageData(width, height);
    for (let y = 0, to = 0; y < height; y++) {
      let from = (top + y) * current.width + left;
      for (let x = 0; x < width; x++, from++, to += 4) {
        const id = ids[from];
        if (!id) continue;
        const colour = colours[id];
        data.data[to] = colour[0];
        data.data[to + 1] = colour[1];
        data.data[to + 2] = colour[2];
        data.data[to + 3] = 255;
      }
    }
    context.putImageData(data, left, top);
  }

  // --- zoom

  function resize() {
    sheet.style.width = `${current.width * zoom}px`;
    sheet.style.height = `${current.height * zoom}px`;
    sheet.classList.toggle("near", zoom > 2);
    at("zoom-shown").textContent = `${Math.round(100 * zoom)} %`;
  }

  function fit() {
    isFitted = true;
    const width = (stage.clientWidth - 2) / current.width;
    const height = (stage.clientHeight - 2) / current.height;
    zoom = Math.min(width, height);
    resize();
  }

  // Keeps the point under (x, y), in pixels of the window, where it is.
  function zoomBy(factor, x, y) {
    const before = sheet.getBoundingClientRect();
    const box = stage.getBoundingClientRect();
    const centreX = x ?? box.left + stage.clientWidth / 2;
    const centreY = y ?? box.top + stage.clientHeight / 2;
    const shareX = (centreX - before.left) / before.width;
    const shareY = (centreY - before.top) / before.height;
    isFitted = false;
    zoom = Math.min(Math.max(zoom * factor, 0.02), 40);
    resize();
    const after = sheet.getBoundingClientRect();
    stage.scrollLeft += after.left + shareX * after.width - centreX;
    stage.scrollTop += after.top + shareY * after.height - centreY;
  }

  // --- painting

  let last = null; // of the stroke: [x, y] in pixels of the image
  let stroke = null;
  let drag = null;

  function place(event) {
    const box = canvas.getBoundingClientRect();
    return [
      ((event.clientX - box.left) / box.width) * current.width,
      ((event.clientY - box.top) / box.height) * current.height,
    ];
  }

  // A disc of pixels whose centres are within the radius; at least the pixel itself.
  function dot(x, y, id) {
    const radius = at("size").valueAsNumber / 2;
    const square = Math.max(radius * radius, 0.25);
    const { width, height } = current;
    const clamp = (value, size) => Math.min(Math.max(value, 0), size);
    const [left, right] = [clamp(Math.floor(x - radius), width), clamp(Math.ceil(x + radius), width)];
    const [top, bottom] = [clamp(Math.floor(y - radius), height), clamp(Math.ceil(y + radius), height)];
    const isOne = radius <= 0.5;
    for (let row = top; row < bottom; row++) {
      for (let column = left; column < right; column++) {
        const isIn = isOne
          ? row === Math.floor(y) && column === Math.floor(x)
          : (column + 0.5 - x) ** 2 + (row + 0.5 - y) ** 2 <= square;
        const index = row * width + column;
        if (!isIn || ids[index] === id) continue;
        stroke[0].push(index);
        stroke[1].push(ids[index]);
        ids[index] = id;
      }
    }
    return [left, top, right, bottom];
  }

  function paintTo([x, y]) {
    const id = tool() === "erase" ? 0 : brushClass;
    const [fromX, fromY] = last ?? [x, y];
    const spacing = Math.max(0.5, at("size").valueAsNumber / 4);
    const steps = Math.max(1, Math.ceil(Math.hypot(x - fromX, y - fromY) / spacing));
    let area = null;
    for (let step = last ? 1 : steps; step <= steps; step++) {
      const share = step / steps;
      const box = dot(fromX + share * (x - fromX), fromY + share * (y - fromY), id);
      area = area
        ? [Math.min(area[0], box[0]), Math.min(area[1], box[1]), Math.max(area[2], box[2]), Math.max(area[3], box[3])]
        : box;
    }
    last = [x, y];
    draw(area[0], area[1], area[2] - area[0], area[3] - area[1]);
  }

  function endStroke() {
    if (stroke && stroke[0].length) {
      strokes.push(stroke);
      if (strokes.length > MOST_UNDONE) strokes.shift();
      touched();
    }
    stroke = last = drag = null;
  }

  function touched() {
    isChanged = true;
    describe();
    saveSoon();
  }

  function undo() {
    const undone = strokes.pop();
    if (!undone || stroke) return;
    const [indices, former] = undone;
    indices.forEach((index, n) => (ids[index] = former[n]));
    draw(0, 0, current.width, current.height);
    touched();
  }

  async function reset() {
    const image = current;
    try {
      const proposal = await pixels(`proposal/${image.rank}`);
      if (image !== current || !ids) return;
      const changed = [[], []];
      proposal.forEach((id, index) => {
        if (id === ids[index]) return;
        changed[0].push(index);
        changed[1].push(ids[index]);
        ids[index] = id;
      });
      if (!changed[0].length) return;
      strokes.push(changed);
      draw(0, 0, current.width, current.height);
      touched();
    } catch (error) {
      say(error.message);
    }
  }

  canvas.addEventListener("pointerdown", (event) => {
    if (event.button || !event.isPrimary || !ids) return;
    if (tool() === "move") {
      if (event.pointerType !== "mouse") return; // the browser scrolls
      drag = [event.clientX + stage.scrollLeft, event.clientY + stage.scrollTop];
    } else if (!isLeaving) {
      stroke = [[], []];
      paintTo(place(event));
    } else return;
    canvas.setPointerCapture(event.pointerId);
    event.preventDefault();
    stage.focus({ preventScroll: true });
  });
  canvas.addEventListener("pointermove", (event) => {
    if (drag) {
      stage.scrollLeft = drag[0] - event.clientX;
      stage.scrollTop = drag[1] - event.clientY;
    } else if (stroke && event.isPrimary) {
      const events = event.getCoalescedEvents?.() ?? [];
      (events.length ? events : [event]).forEach((one) => paintTo(place(one)));
    }
  });
  for (const kind of ["pointerup", "pointercancel"]) canvas.addEventListener(kind, endStroke);

  // --- controls

  function applyTool() {
    sheet.classList.toggle("paint", tool() !== "move");
  }

  function applyView() {
    sheet.classList.toggle("bare", !at("show-mask").checked);
    sheet.classList.toggle("unsure", at("show-uncertainty").checked);
    sheet.style.setProperty("--strength", at("strength").value / 100);
    at("size-shown").textContent = `${at("size").value} px`;
  }

  function chooseClass(number) {
    const choice = document.querySelector(`input[name=class][data-key="${number}"]`);
    if (!choice) return;
    choice.checked = true;
    brushClass = Number(choice.value);
    choose("brush");
  }

  function sizeBy(factor) {
    const size = at("size").valueAsNumber;
    at("size").value = factor > 1 ? Math.ceil(size * factor) : Math.floor(size * factor);
    applyView();
  }

  const toggle = (id) => {
    at(id).checked = !at(id).checked;
    applyView();
  };
  const step = (by) => go(images[current.rank - 1 + by]);
  const KEYS = {
    a: () => decide("accept"),
    c: () => decide("mark"),
    r: () => decide("reject"),
    n: () => step(1),
    p: () => step(-1),
    ArrowRight: () => step(1),
    ArrowLeft: () => step(-1),
    v: () => choose("move"),
    b: () => choose("brush"),
    e: () => choose("erase"),
    z: undo,
    m: () => toggle("show-mask"),
    u: () => toggle("show-uncertainty"),
    f: fit,
    "+": () => zoomBy(1.25),
    "=": () => zoomBy(1.25),
    "-": () => zoomBy(0.8),
    "[": () => sizeBy(0.8),
    "]": () => sizeBy(1.25),
  };

  document.addEventListener("keydown", (event) => {
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    if (!current || stroke || event.altKey) return;
    if ((event.ctrlKey || event.metaKey) && key === "z") {
      event.preventDefault();
      undo();
      return;
    }
    if (event.ctrlKey || event.metaKey || !at("keys").checked) return;
    const on = event.target;
    if (on.tagName === "SELECT") return;
    if (key.startsWith("Arrow") && (on === stage || on.tagName === "INPUT")) return;
    if (event.repeat && ["a", "c", "r"].includes(key)) return;
    if (/^[0-9]$/.test(key)) chooseClass(key);
    else if (KEYS[key]) KEYS[key]();
    else return;
    event.preventDefault();
  });

  stage.addEventListener(
    "wheel",
    (event) => {
      if (!event.ctrlKey) return;
      event.preventDefault();
      zoomBy(event.deltaY < 0 ? 1.15 : 1 / 1.15, event.clientX, event.clientY);
    },
    { passive: false },
  );
  addEventListener("resize", () => current && isFitted && fit());
  addEventListener("beforeunload", (event) => {
    if (isChanged) event.preventDefault();
  });
  document.querySelectorAll("[data-action]").forEach((button) => {
    button.addEventListener("click", () => decide(button.dataset.action));
  });
  document.querySelectorAll("input[name=tool]").forEach((choice) => {
    choice.addEventListener("change", applyTool);
  });
  for (const id of ["show-mask", "show-uncertainty", "strength", "size"]) {
    at(id).addEventListener("input", applyView);
  }
  at("previous").addEventListener("click", () => step(-1));
  at("next").addEventListener("click", () => step(1));
  at("images").addEventListener("change", () => go(images[at("images").selectedIndex]));
  at("undo").addEventListener("click", undo);
  at("reset").addEventListener("click", reset);
  at("larger").addEventListener("click", () => zoomBy(1.25));
  at("smaller").addEventListener("click", () => zoomBy(0.8));
  at("fit").addEventListener("click", fit);

  function classChoice({ id, name, colour }, index) {
    const label = document.createElement("label");
    const choice = document.createElement("input");
    const swatch = document.createElement("span");
    choice.type = "radio";
    choice.name = "class";
    choice.value = id;
    choice.dataset.key = id === 255 ? 0 : index + 1;
    choice.checked = id === brushClass;
    choice.addEventListener("change", () => {
      brushClass = id;
      choose("brush");
    });
    swatch.className = "swatch";
    swatch.style.background = `rgb(${colour.join(",")})`;
    label.append(choice, swatch, name);
    if (id === 255 || index < 9) {
      const key = document.createElement("kbd");
      key.textContent = choice.dataset.key;
      label.append(" ", key);
    }
    return label;
  }

  async function start() {
    const state = await (await ask("state")).json();
    images = state.images;
    state.classes.forEach(({ id, colour }) => (colours[id] = colour));
    at("classes").append(...state.classes.map(classChoice));
    at("images").append(...images.map(() => document.createElement("option")));
    at("result").textContent =
      `Accepted images and their masks are in ${state.folder}, as a folder to train on.`;
    applyView();
    applyTool();
    await open(images.find((image) => image.state === "undecided") ?? images[0]);
  }
  start().catch((error) => say(error.message));
})();
